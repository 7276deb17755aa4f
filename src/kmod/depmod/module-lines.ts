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

/** What depmod takes for symbols that a module exports. */
export function listIndexSymbols(
  module: Pick<KernelModule, 'exports' | 'namespaceNames'>,
): readonly string[] {
  return [...module.exports.map(({ symbol }) => symbol), ...module.namespaceNames];
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
  const match = /^(char|block)-major- *([+-]?)(\d+)- *([+-]?)(\d+)/.exec(alias);
  if (match === null) return undefined;
  const [, kind, majorSign = '', major = '', minorSign = '', minor = ''] = match;
  return `${kind === 'char' ? 'c' : 'b'}${readUnsigned(majorSign, major)}:${readUnsigned(minorSign, minor)}`;
}

/** A number as `sscanf` reads it for `%u`: 64 bits, of which it keeps the low 32. */
function readUnsigned(sign: string, digits: string): bigint {
  const largest = 2n ** 64n - 1n;
  const value = digits.length > 20 ? largest + 1n : BigInt(digits);
  if (value > largest) return BigInt.asUintN(32, largest);
  return BigInt.asUintN(32, sign === '-' ? -value : value);
}

/** The files are lines of 7-bit text: anything else would be read back as something else. */
function checkText(name: string, key: string, value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  throw new ModuleError('MODINFO_INVALID', `Cannot index the module ${name}: its ${key} is not plain text`, {
    hint: `Module indexes hold one line of printable ASCII for each ${key}; mend it in the module's source.`,
  });
}
