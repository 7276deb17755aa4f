/*
 * Would a kernel load a module? Each check of `load_module()` that can be made without loading, over bytes. Loads
 * `node:crypto` and nothing else that is not in this package; xz and zstd are loaded when a module is unpacked.
 */
export { ModuleError, SignError } from './errors.ts';
export { parseDepmodConfig, RHEL_DEPMOD_CONFIG } from './kmod/depmod/config.ts';
export type { DepmodConfig, DepmodFile } from './kmod/depmod/config.ts';
export type { KernelSymbol } from './kmod/symvers.ts';
export type { Arch } from './oci/arch.ts';
export { parseCertificate } from './sign/certificate.ts';
export type { Certificate } from './sign/certificate.ts';
export { parseKernelRelease } from './spec/kernel-release.ts';
export type { KernelRelease } from './spec/kernel-release.ts';
export type { HasFirmware } from './verify/checks/firmware.ts';
export { makeKernelFacts, readKernelFacts } from './verify/kernel-facts.ts';
export type { KernelFacts, KernelFiles } from './verify/kernel-facts.ts';
export type { ModuleTree, SymbolProvider } from './verify/module-tree.ts';
export type { ReadBaseModules } from './verify/overrides.ts';
export { CHECK_IDS, STATIC_PASS } from './verify/report.ts';
export type {
  Check,
  CheckDetail,
  CheckId,
  CheckStatus,
  ModuleReport,
  OverrideReport,
  SymbolUse,
  Verdict,
} from './verify/report.ts';
export { verifyModule } from './verify/verify-module.ts';
export type { VerifyModuleRequest } from './verify/verify-module.ts';
export { verifyTree } from './verify/verify-tree.ts';
export type { TreeModule, TreeReport, VerifyTreeRequest } from './verify/verify-tree.ts';
