import { readConfigLines } from '../../kmod/config-text.ts';
import { textOf } from './kernel-paths.ts';

/** One line of configuration, and the file that it stands in. */
export interface ConfigLine {
  readonly path: string;
  /** The module, as the kernel spells it. */
  readonly module: string;
}

/** What configuration says about loading. */
export interface LoadConfig {
  /** Modules that systemd loads at boot. */
  readonly loads: readonly ConfigLine[];
  readonly blacklists: readonly ConfigLine[];
  /** Options, softdeps and the like: they do nothing when the module is not there. */
  readonly mentions: readonly (ConfigLine & { readonly command: string })[];
  /** Names that `alias` lines of modprobe.d give. */
  readonly aliases: ReadonlySet<string>;
  /** Parameters that `options` lines set, by module. */
  readonly parameters: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

const MODULES_LOAD = /^(?:usr\/lib|usr\/local\/lib|etc)\/modules-load\.d\/[^/]+\.conf$/;
const MODPROBE = /^(?:usr\/lib|usr\/local\/lib|etc)\/modprobe\.d\/[^/]+\.conf$/;

/**
 * Reads the configuration that layers bring.
 *
 * @see modules-load.d(5), modprobe.d(5)
 */
export function readLoadConfig(files: ReadonlyMap<string, Uint8Array>): LoadConfig {
  const loads: ConfigLine[] = [];
  const blacklists: ConfigLine[] = [];
  const mentions: (ConfigLine & { command: string })[] = [];
  const aliases = new Set<string>();
  const parameters = new Map<string, Record<string, string>>();
  for (const [path, bytes] of files) {
    if (MODULES_LOAD.test(path)) {
      for (const line of linesOf(bytes, /^[#;]/)) loads.push({ path, module: plain(line) });
    }
    if (!MODPROBE.test(path)) continue;
    for (const line of linesOf(bytes, /^#/)) {
      const [command = '', ...words] = line.split(/\s+/);
      const [first = ''] = words;
      if (command === 'blacklist') blacklists.push({ path, module: plain(first) });
      else if (command === 'alias') {
        aliases.add(plain(first));
        mentions.push({ path, command, module: plain(words[1] ?? '') });
      } else if (command === 'options') {
        const module = plain(first);
        mentions.push({ path, command, module });
        parameters.set(module, { ...parameters.get(module), ...valuesOf(line) });
      } else if (command === 'softdep' || command === 'weakdep') {
        const named = [first, ...words.slice(1)].filter((word) => word !== 'pre:' && word !== 'post:');
        for (const word of named) mentions.push({ path, command, module: plain(word) });
      }
    }
  }
  return {
    loads,
    blacklists,
    mentions: mentions.filter(({ module }) => module !== ''),
    aliases,
    parameters,
  };
}

/** `name=value` words of an `options` line; a value may be in double quotes, and a name may stand alone. */
function valuesOf(line: string): Record<string, string> {
  const words = line.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  return Object.fromEntries(
    words.slice(2).map((word) => {
      const equals = word.indexOf('=');
      const name = equals < 0 ? word : word.slice(0, equals);
      return [plain(name), equals < 0 ? '' : word.slice(equals + 1).replaceAll('"', '')];
    }),
  );
}

function linesOf(bytes: Uint8Array, comment: RegExp): readonly string[] {
  return readConfigLines(textOf(bytes))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !comment.test(line));
}

function plain(name: string): string {
  return name.replaceAll('-', '_');
}
