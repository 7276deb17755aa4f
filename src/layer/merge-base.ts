import { ModuleError } from '../errors.ts';
import type { Io } from '../io.ts';
import { decompressModule } from '../kmod/compression.ts';
import { type DepmodConfig, parseDepmodConfig } from '../kmod/depmod/config.ts';
import { mergeIndexes, type MergeResult } from '../kmod/depmod/merge.ts';
import type { Symvers } from '../kmod/depmod/merge-exports.ts';
import type { AddedModule } from '../kmod/depmod/select-modules.ts';
import type { KernelModule } from '../kmod/module.ts';
import { readModule } from '../kmod/read-module.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { type Base, readBaseModules } from './base.ts';
import { finalLayer } from './layer-order.ts';

export interface MergeBaseRequest {
  readonly image: OpenedImage;
  readonly base: Base;
  readonly kernel: KernelRelease;
  readonly added: readonly AddedModule[];
  /** depmod.d files of our own layer, by path. */
  readonly ownConfig: ReadonlyMap<string, Uint8Array>;
  /** Takes the place of what the base and our layer say of depmod. */
  readonly config?: DepmodConfig | undefined;
  /** What the base's kernel exports, where it is known: then exports that clash are found before depmod. */
  readonly symvers?: Symvers | undefined;
}

/** What RHEL ships as its `dist.conf`. */
const RHEL_DEPMOD_FILES = new Map([
  ['usr/lib/depmod.d/dist.conf', Buffer.from('search updates extra built-in weak-updates\n')],
]);

/** Largest module of a base, unpacked: 128 MiB. */
const MAX_MODULE_BYTES = 128 * 1024 ** 2;

/**
 * The index files of the base that change when modules are added, as `depmod -a` would write them on the node's tree.
 * Modules of the base are read only when the merge says that it cannot do without them.
 *
 * @throws {ModuleError} as `mergeIndexes` does.
 */
export async function mergeWithBase(
  request: MergeBaseRequest,
  io: Pick<Io, 'cache' | 'report'>,
): Promise<MergeResult & { kind: 'merged' }> {
  const { base, kernel, added } = request;
  const checkedKey = `depmod-checked-v1-${fingerprint(base.indexes)}`;
  const isBaseChecked = (await io.cache.get(checkedKey)) !== undefined;
  const baseModules = new Map<string, KernelModule>();
  for (;;) {
    const result = mergeIndexes({
      base: base.indexes,
      added,
      config: request.config ?? depmodConfig(request),
      kernelRelease: kernel,
      baseModules,
      ...(request.symvers === undefined ? {} : { symvers: request.symvers }),
      // A commit is composed of packages that see to it that each module finds what it needs.
      isBaseClosed: finalLayer(request.image) >= 0,
      isBaseChecked,
    });
    if (result.kind === 'merged') {
      if (!isBaseChecked) await io.cache.put(checkedKey, Buffer.from('checked'));
      return result;
    }
    const paths = result.paths.filter((path) => !baseModules.has(path));
    if (paths.length === 0) {
      throw new ModuleError('INDEX_UNSUPPORTED', `Cannot merge the module indexes of kernel ${kernel}`);
    }
    io.report({
      type: 'detail',
      message: `the order of the indexes depends on ${paths.length} modules of the base: ${paths.slice(0, 5).join(', ')}`,
    });
    for (const [path, bytes] of await readBaseModules(request.image, { kernel, paths }, io)) {
      baseModules.set(path, readModule(await decompressModule(bytes, { maxBytes: MAX_MODULE_BYTES })));
    }
  }
}

/**
 * Configuration of depmod in the merged tree: the base's as far as it was seen, and ours. What RHEL ships is taken for a
 * base whose layer with depmod.d was not read: a replacement wins by our own `override` line under any search order.
 */
export function depmodConfig({
  base,
  ownConfig,
}: Pick<MergeBaseRequest, 'ownConfig'> & { readonly base: Pick<Base, 'depmodConfig'> }): DepmodConfig {
  const files = [...(base.depmodConfig.size > 0 ? base.depmodConfig : RHEL_DEPMOD_FILES), ...ownConfig];
  return parseDepmodConfig(
    files.map(([path, bytes]) => {
      const slash = path.lastIndexOf('/');
      return {
        directory: path.slice(0, slash),
        name: path.slice(slash + 1),
        text: Buffer.from(bytes).toString('latin1'),
      };
    }),
  );
}

function fingerprint(indexes: ReadonlyMap<string, Uint8Array>): string {
  const parts = [...indexes].map(([name, bytes]) => `${name} ${digestOf(bytes)}\n`).sort();
  return hexOf(digestOf(Buffer.from(parts.join(''))));
}
