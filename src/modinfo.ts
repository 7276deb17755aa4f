/*
 * What a kernel module says of itself, from its bytes. Loads nothing of the pipeline; xz and zstd are loaded when a
 * module is unpacked.
 */
export { ModuleError } from './errors.ts';
export type { BuildConfig } from './kmod/build-config.ts';
export { parseBuildConfig } from './kmod/build-config.ts';
export { compressModule, decompressModule, detectCompression } from './kmod/compression.ts';
export type { DecompressModuleOptions, ModuleCompression } from './kmod/compression.ts';
export type { ModuleDescription, ModuleParameter } from './kmod/describe-module.ts';
export { findModinfo, listModinfo } from './kmod/module.ts';
export type { Export, Import, KernelModule, ModinfoField } from './kmod/module.ts';
export { parseSymvers } from './kmod/symvers.ts';
export type { KernelSymbol } from './kmod/symvers.ts';
export { inspectModule, readModuleInfo } from './sign/inspect-module.ts';
export type { ModuleInfo, ModuleInspection } from './sign/inspect-module.ts';
export type { SignatureDescription, SignerDescription } from './sign/describe-signature.ts';
