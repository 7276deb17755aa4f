import { LayerError, ModuleError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { KernelModule } from '../../kmod/module.ts';
import type { Base } from '../../layer/base.ts';
import { mergeWithBase } from '../../layer/merge-base.ts';
import type { OpenedImage } from '../../oci/open-image.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import { MODULE_FILE } from './added-layer.ts';
import type { AddedTree } from './added-tree.ts';
import { isLeft, moduleDirectory, modulesOfIndex } from './kernel-paths.ts';
import type { ExpectedIndexes } from './lint-input.ts';
import { countOf, namesOf } from './words.ts';

export interface ExpectedRequest {
  readonly image: OpenedImage;
  readonly base: Base;
  readonly kernel: KernelRelease;
  readonly tree: AddedTree;
  /** Modules that were added and could be read, by path in the image. */
  readonly modules: ReadonlyMap<string, KernelModule>;
}

/** Faults of the tree itself, under which no order of its files can be relied on. */
const FATAL: readonly string[] = ['DUPLICATE_MODULE', 'DUPLICATE_EXPORT', 'DEPENDENCY_CYCLE'];

/**
 * What depmod writes for the tree of an image. Modules of the base that were removed make no difference when another
 * file took their place, as depmod passes over them anyhow; without them, the order of the rest is not known.
 *
 * @returns Undefined for files that are no modules, and for those that came with a kernel: other rules name them.
 */
export async function expectedIndexes(
  { image, base, kernel, tree, modules }: ExpectedRequest,
  io: Pick<Io, 'cache' | 'report'>,
): Promise<ExpectedIndexes | undefined> {
  const directory = moduleDirectory(kernel);
  const unread = [...tree.entries.values()]
    .map(({ entry }) => entry)
    .filter(({ path }) => path.startsWith(directory) && MODULE_FILE.test(path) && !modules.has(path));
  const links = unread.filter(({ type }) => type === 'symlink' || type === 'hardlink');
  if (links.length < unread.length) return undefined;
  if (links.length > 0) {
    const names = namesOf(links.map(({ path }) => path.slice(directory.length)));
    return unchecked(`${countOf(links.length, 'module')} (${names}) that the layers add as links`);
  }
  const removed = modulesOfIndex(base.indexes.get('modules.dep')).filter(
    (path) => !isLeft(tree, directory + path),
  );
  const ownConfig = new Map([...tree.files].filter(([path]) => path.includes('/depmod.d/')));
  const added = [...modules].map(([path, module]) => ({ path: path.slice(directory.length), module }));
  try {
    const { files, overridden } = await mergeWithBase({ image, base, kernel, added, ownConfig }, io);
    const inPlace = new Set(overridden.map(({ loser }) => loser));
    const gone = removed.filter((path) => !inPlace.has(path));
    return gone.length === 0 ? { kind: 'merged', files } : withoutThem(gone);
  } catch (error) {
    if (!(error instanceof ModuleError || error instanceof LayerError)) throw error;
    // What could not be merged with a module of the base may well be without it.
    if (removed.length > 0) return withoutThem(removed);
    return { kind: 'refused', isFatal: FATAL.includes(error.code), why: error.message, hint: error.hint };
  }
}

function withoutThem(removed: readonly string[]): ExpectedIndexes {
  return unchecked(
    `${countOf(removed.length, 'module')} of the base (${namesOf(removed)}) that the layers remove`,
  );
}

function unchecked(what: string): ExpectedIndexes {
  return {
    kind: 'refused',
    isFatal: false,
    why: `what depmod makes of ${what} cannot be told from its indexes`,
    hint: 'See to it that depmod -a is the last step of the build.',
  };
}
