import { ModuleError } from '../../errors.ts';
import { type KernelModule, listModinfo } from '../module.ts';

export const ALIAS_HEADER = '# Aliases extracted from modules themselves.\n';
export const SOFTDEP_HEADER = '# Soft dependencies extracted from modules themselves.\n';
export const WEAKDEP_HEADER = '# Weak dependencies extracted from modules themselves.\n';
export const DEVNAME_HEADER = '# Device nodes to trigger on-demand module loading.\n';

type Modinfo = Pick<KernelModule, 'modinfo'>;

/**
 * A module's lines of `modules.alias`.
 *
 * @throws {ModuleError} `MODINFO_INVALID` for an alias that no index can hold.
 */
export function aliasLines(name: string, module: Modinfo): readonly string[] {
  return listModinfo(module, 'alias').map((alias) => `alias ${checkText(name, 'alias', alias)} ${name}\n`);
}

/** A module's lines of `modules.softdep` or `modules.weakdep`. @throws {ModuleError} `MODINFO_INVALID`. */
export function dependencyHints(key: 'softdep' | 'weakdep', name: string, module: Modinfo): string {
  return listModinfo(module, key)
    .map((value) => `${key} ${name} ${checkText(name, key, value)}\n`)
    .join('');
}

/**
 * A module's line of `modules.devname`: empty unless its aliases name a device node and its numbers.
 *
 * @see kmod, `tools/depmod.c`, `output_devname()`
 */
export function deviceNode(name: string, aliases: readonly string[]): string {
  let node: string | undefined;
  let device: string | undefined;
  for (const alias of aliases) {
    if (alias.startsWith('devname:')) node = alias.slice('devname:'.length);
    else device = findDevice(alias) ?? device;
    if (node !== undefined && device !== undefined) return `${name} ${node} ${device}\n`;
  }
  return '';
}

function findDevice(alias: string): string | undefined {
  const match = /^(char|block)-major-(\d+)-(\d+)/.exec(alias);
  if (match === null) return undefined;
  const [, kind, major, minor] = match;
  return `${kind === 'char' ? 'c' : 'b'}${Number(major)}:${Number(minor)}`;
}

/** The files are lines of 7-bit text: anything else would be read back as something else. */
function checkText(name: string, key: string, value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  throw new ModuleError('MODINFO_INVALID', `Cannot index the module ${name}: its ${key} is not plain text`, {
    hint: `Module indexes hold one line of printable ASCII for each ${key}; mend it in the module's source.`,
  });
}
