import type { DepmodConfig } from '../src/kmod/depmod/config.ts';
import type { MergeResult } from '../src/kmod/depmod/merge.ts';
import type { AddedModule } from '../src/kmod/depmod/select-modules.ts';
import { readBase } from '../src/layer/base.ts';
import { readKernelFiles } from '../src/layer/kernel-files.ts';
import { readSymvers } from '../src/layer/layer.ts';
import { mergeWithBase } from '../src/layer/merge-base.ts';
import type { DepmodFlags } from './commands/depmod.ts';
import type { CliContext } from './context.ts';
import { makeIo } from './make-io.ts';
import { openNamedImage } from './open-named-image.ts';

/**
 * Merges modules into the indexes of an image, of which only the layers that hold them are read. What the kernel exports
 * is read when an added module exports something, too.
 *
 * @throws {ModuleError} as `mergeIndexes` does; {LayerError} `INDEX_NOT_FOUND`; as opening and reading images does.
 */
export async function mergeIntoImage(
  flags: DepmodFlags,
  given: { readonly added: readonly AddedModule[]; readonly config: DepmodConfig | undefined },
  context: CliContext,
): Promise<MergeResult & { kind: 'merged' }> {
  const { kernel } = flags;
  const io = await makeIo(context, flags);
  const { image } = await openNamedImage(flags.base, flags.arch, io);
  const base = await readBase(image, kernel, io);
  const isExporting = given.added.some(({ module }) => module.exports.length > 0);
  const symvers = isExporting ? await readSymvers(await readKernelFiles(image, kernel, io), io) : undefined;
  return mergeWithBase({ image, base, kernel, ownConfig: new Map(), symvers, ...given }, io);
}
