import { readConfigLines } from '../config-text.ts';
import { matchesKernel } from './kernel-pattern.ts';

/** A file below a `depmod.d` directory. */
export interface DepmodFile {
  /** Directory it stands in, for instance `/etc/depmod.d` or `usr/lib/depmod.d`; undefined for a file that was named itself. */
  readonly directory: string | undefined;
  /** Name within the directory, where only `*.conf` counts. */
  readonly name: string;
  readonly text: string;
}

/** An entry of the search order: a directory below the kernel's, or one of two words for others. */
export type SearchEntry =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'built-in' }
  | { readonly kind: 'external' };

/** What depmod.d says, before it is known for which kernel. */
export interface DepmodConfig {
  /** The most important first. */
  readonly search: readonly SearchEntry[];
  /** The last line read comes first. */
  readonly overrides: readonly {
    readonly module: string;
    readonly kernel: string;
    readonly directory: string;
  }[];
  /** The last line read comes first. */
  readonly externals: readonly { readonly kernel: string; readonly directory: string }[];
  /** Names of files and directories that are never looked at. */
  readonly excludes: readonly string[];
}

/**
 * Where depmod looks, the most important first: of two files with one name it reads the first. Other directories come
 * after these, in the order in which they are given.
 */
const DIRECTORIES = [
  'etc/depmod.d',
  'run/depmod.d',
  'usr/local/lib/depmod.d',
  'usr/lib/depmod.d',
  'lib/depmod.d',
];

/**
 * Reads the files of all depmod.d directories as depmod does: files of one name hide each other, then all are read in
 * the order of their names. Lines that are not understood are skipped.
 *
 * @see depmod.d(5); kmod, `tools/depmod.c`, `cfg_load()`
 */
export function parseDepmodConfig(files: readonly DepmodFile[]): DepmodConfig {
  const search: SearchEntry[] = [];
  const overrides: { module: string; kernel: string; directory: string }[] = [];
  const externals: { kernel: string; directory: string }[] = [];
  const excludes: string[] = [];
  for (const { text } of listInOrder(files)) {
    for (const line of readConfigLines(text)) {
      if (line.startsWith('#')) continue;
      const [command, ...words] = line.split(/[\t ]+/).filter((word) => word !== '');
      const [first, second, third] = words;
      if (command === 'search') {
        search.push(...words.map(toSearchEntry));
      } else if (command === 'exclude') {
        excludes.push(...words);
      } else if (
        command === 'override' &&
        first !== undefined &&
        second !== undefined &&
        third !== undefined
      ) {
        overrides.unshift({ module: first, kernel: second, directory: third });
      } else if (command === 'external' && first !== undefined && second !== undefined) {
        externals.unshift({ kernel: first, directory: second });
      }
    }
  }
  if (search.length === 0) search.push({ kind: 'directory', path: 'updates' });
  return { search, overrides, externals, excludes };
}

/** What RHEL, CentOS Stream and RHEL CoreOS have in `depmod.d/dist.conf`. */
export const RHEL_DEPMOD_CONFIG: DepmodConfig = parseDepmodConfig([
  { directory: 'usr/lib/depmod.d', name: 'dist.conf', text: 'search updates extra built-in weak-updates\n' },
]);

/** The lines of a configuration that hold for one kernel. */
export interface KernelConfig {
  readonly search: readonly SearchEntry[];
  /** Paths without extension that win over all others. */
  readonly overrides: readonly string[];
  /** Absolute directories. */
  readonly externals: readonly string[];
  readonly excludes: readonly string[];
  /** The kernel's own directory, absolute. */
  readonly moduleDirectory: string;
}

/** @throws {ModuleError} `INDEX_UNSUPPORTED` for a pattern that could take for ever. */
export function configForKernel(config: DepmodConfig, kernelRelease: string): KernelConfig {
  return {
    search: config.search,
    overrides: config.overrides
      .filter(({ kernel }) => matchesKernel(kernel, kernelRelease))
      .map(({ module, directory }) => `${directory}/${module}`),
    externals: config.externals
      .filter(({ kernel }) => matchesKernel(kernel, kernelRelease))
      .map(({ directory }) => directory),
    excludes: config.excludes,
    moduleDirectory: `/lib/modules/${kernelRelease}`,
  };
}

function listInOrder(files: readonly DepmodFile[]): readonly DepmodFile[] {
  const byName = new Map<string, { rank: number; file: DepmodFile }>();
  for (const file of files) {
    if (file.directory !== undefined && !/^[^.].*\.conf$/s.test(file.name)) continue;
    const known = DIRECTORIES.indexOf(file.directory?.replace(/^\/+|\/+$/g, '') ?? '');
    const rank = known < 0 ? DIRECTORIES.length : known;
    const other = byName.get(file.name);
    if (other === undefined || rank < other.rank) byName.set(file.name, { rank, file });
  }
  return [...byName.values()]
    .map(({ file }) => file)
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

function toSearchEntry(word: string): SearchEntry {
  if (word === 'built-in' || word === 'external') return { kind: word };
  return { kind: 'directory', path: word };
}
