/*
 * The indexes that depmod writes, byte for byte, over bytes: merged into those of a base without its modules, or made of
 * all modules of a tree. Loads nothing of the pipeline.
 */
export { ModuleError } from './errors.ts';
export { checkBase } from './kmod/depmod/check-base.ts';
export { parseDepmodConfig, RHEL_DEPMOD_CONFIG } from './kmod/depmod/config.ts';
export type { DepmodConfig, DepmodFile, SearchEntry } from './kmod/depmod/config.ts';
export type { ByteOrder } from './kmod/depmod/hash.ts';
export { readIndex } from './kmod/depmod/index-reader.ts';
export type { IndexEntry } from './kmod/depmod/index-reader.ts';
export { indexTree, readIndexFormat, RHEL_INDEX_FORMAT } from './kmod/depmod/index-tree.ts';
export type { IndexFormat, TreeRequest } from './kmod/depmod/index-tree.ts';
export type { IndexLayout } from './kmod/depmod/index-trie.ts';
export { mergeIndexes } from './kmod/depmod/merge.ts';
export type { MergeRequest, MergeResult } from './kmod/depmod/merge.ts';
export type { Symvers } from './kmod/depmod/merge-exports.ts';
export type { AddedModule, Precedence } from './kmod/depmod/select-modules.ts';
export type { KernelModule } from './kmod/module.ts';
export { readModule } from './kmod/read-module.ts';
export { parseSymvers } from './kmod/symvers.ts';
