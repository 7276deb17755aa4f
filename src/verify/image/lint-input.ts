import type { BasePaths } from '../../layer/base-paths.ts';
import type { KernelModule } from '../../kmod/module.ts';
import type { ImageConfig } from '../../oci/config.ts';
import type { ImageManifest } from '../../oci/manifest.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import type { AddedTree } from './added-tree.ts';
import type { Boundary } from './boundary.ts';

/** What the rules of layers look at; all of it was read before. */
export interface LintInput {
  readonly image: { readonly manifest: ImageManifest; readonly config: ImageConfig };
  /** Undefined when nothing says where the base ends. */
  readonly boundary: Boundary | undefined;
  readonly tree: AddedTree;
  readonly findInBase: BasePaths['find'];
  /** The kernel that the image boots; undefined when its layers do not say. */
  readonly kernel: KernelRelease | undefined;
  /** The kernel of the base: another one when a layer replaces it. */
  readonly baseKernel: KernelRelease | undefined;
  /** Index files of the kernel by name, as the base has them. */
  readonly baseIndexes: ReadonlyMap<string, Uint8Array>;
  /** Index files of the kernel by name, as the image has them. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** What depmod would write for the image's tree; undefined when that is not known. */
  readonly expected: ExpectedIndexes | undefined;
  /** Modules that the layers add, by path in the image; those that cannot be read are in `unreadable`. */
  readonly modules: ReadonlyMap<string, KernelModule>;
  readonly unreadable: readonly { readonly path: string; readonly why: string }[];
}

/** The indexes of the base with what was added merged in, or why that cannot be done. */
export type ExpectedIndexes =
  | { readonly kind: 'merged'; readonly files: ReadonlyMap<string, Uint8Array> }
  | {
      readonly kind: 'refused';
      /** The tree itself is at fault, and not what we know of it. */
      readonly isFatal: boolean;
      readonly why: string;
      readonly hint: string | undefined;
    };
