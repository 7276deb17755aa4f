import { basename } from 'node:path';
import { RHEL_CONFIG, type ConfigFiles, type DependencyTable } from './depmod-tree.ts';
import { type KernelModules, withNeeds, withUsers } from './kernel-modules.ts';

/** A tree cut from a kernel, and the modules that come to it. Files are named by the module of the kernel that they hold. */
export interface RandomTree {
  readonly kind: Kind;
  /** Files of the base: by path, the kernel's module. */
  readonly base: ReadonlyMap<string, string>;
  readonly added: ReadonlyMap<string, string>;
  readonly config: ConfigFiles;
  readonly order: 'kernel' | 'absent' | 'repeated' | 'cut';
}

/**
 * What a driver may bring: new modules; modules in place of others; modules with another's content, which export and
 * need other things; modules of the kernel's build that the tree lacks although others there need them.
 */
export type Kind = 'add' | 'override' | 'swap' | 'mixed' | 'return';

export const KINDS: readonly Kind[] = ['add', 'override', 'swap', 'mixed', 'return'];

const CONFIGS: readonly string[] = [
  'search updates extra built-in weak-updates',
  'search updates ubuntu built-in',
  'search override updates extra built-in weak-updates\nmake_map_files yes',
  'search updates extra external built-in weak-updates\nexternal ^4 /nowhere',
  'search updates built-in extra',
  'search extra/sub updates extra built-in\nexclude old none',
  'search updates extra built-in\nexclude sub\noverride tun 6.1.* extra',
  '# nothing but a comment',
];

/** Numbers from 0 to 1 that come again for the same seed. */
export function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param most Most modules that the tree has. */
export function cutTree(kind: Kind, random: () => number, from: KernelModules, most: number): RandomTree {
  const { table } = from;
  const below = (count: number): number => Math.floor(random() * count);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;
  const isWhole = most >= table.paths.length && random() < 0.03;
  const paths = isWhole
    ? table.paths
    : cutPaths(table, Math.ceil(Math.min(most, 500) ** (0.3 + 0.7 * random())), pick);
  // What exports nothing can take the place of anything; the rest is refused when both are there.
  const quiet = table.paths.filter((path) => !from.isExporting(path));
  const base = new Map(paths.map((path) => [path, path]));
  const added = new Map<string, string>();
  const directories = ['extra', 'extra/sub', 'updates/dkms', 'updates'];

  if (kind !== 'override' && kind !== 'swap') {
    const wanted = 1 + Math.floor(random() ** 2 * Math.min(60, paths.length / 2));
    for (let tries = 0, left = wanted; left > 0 && tries < 100; tries++) {
      const seed = pick(paths);
      const removed = (kind === 'return' ? [seed] : withUsers([seed], table)).filter((path) =>
        base.has(path),
      );
      if (removed.length > Math.max(4, paths.length / 2)) continue;
      left -= removed.length;
      for (const path of removed) {
        base.delete(path);
        added.set(`${pick(directories)}/${basename(path)}`, path);
      }
    }
  }
  if (kind !== 'add' && kind !== 'return') {
    const left = [...base.keys()];
    for (let count = 1 + below(4); count > 0 && left.length > 0; count--) {
      const path = pick(left);
      const isOther = kind === 'swap' || (kind === 'mixed' && random() < 0.3);
      const directory = random() < 0.9 ? pick(['updates', 'updates/dkms', 'extra']) : pick(directories);
      added.set(`${directory}/${basename(path)}`, isOther ? pick(random() < 0.2 ? paths : quiet) : path);
    }
  }
  const orders = ['kernel', 'kernel', 'kernel', 'absent', 'repeated', 'cut'] as const;
  const config = random() < 0.4 ? RHEL_CONFIG : new Map([['dist.conf', `${pick(CONFIGS)}\n`]]);
  return { kind, base, added: compressed(added, random), config, order: pick(orders) };
}

/** The tree without what kmod 28 does not know: words that it says it ignores, and zstd as Debian built it. */
export function toKmod28({ config, added, ...tree }: RandomTree): RandomTree {
  return {
    ...tree,
    config: new Map(
      [...config].map(([name, text]) => [name, text.replace(/^(?:external|exclude).*\n/gm, '')]),
    ),
    added: new Map([...added].map(([path, source]) => [path.replace(/\.zst$/, '.xz'), source])),
  };
}

/** Some modules of the kernel and all that they need. */
function cutPaths(
  table: DependencyTable,
  wanted: number,
  pick: (paths: readonly string[]) => string,
): readonly string[] {
  const chosen = new Set<string>();
  while (chosen.size < Math.max(3, wanted)) {
    for (const path of withNeeds([pick(table.paths)], table)) chosen.add(path);
  }
  return [...chosen];
}

/** Gives a few of the files a suffix of compression. */
function compressed(files: ReadonlyMap<string, string>, random: () => number): ReadonlyMap<string, string> {
  let left = 3;
  return new Map(
    [...files].map(([path, source]) => {
      if (random() < 0.8 || left-- <= 0) return [path, source];
      return [`${path}${random() < 0.7 ? '.xz' : '.zst'}`, source];
    }),
  );
}

/** `modules.order` of a tree, made of that of the kernel. */
export function makeOrder(kind: RandomTree['order'], order: Buffer): Buffer | undefined {
  if (kind === 'absent') return undefined;
  if (kind === 'kernel') return order;
  const lines = order.toString('latin1').split('\n').slice(0, -1);
  if (kind === 'repeated')
    return Buffer.from([...lines, ...lines.slice(0, 50).reverse(), ''].join('\n'), 'latin1');
  return Buffer.from([...lines.slice(0, Math.ceil(lines.length / 2)), ''].join('\n'), 'latin1');
}
