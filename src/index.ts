/*
 * The light entry: names, errors, and manifests from values. It loads `node:crypto`, with the first manifest `yaml`, and
 * nothing else that is not in this package. The whole pipeline is `kmodlayer/build`, the spec is `kmodlayer/spec`.
 */
export {
  BootError,
  CompileError,
  KmodError,
  LayerError,
  ModuleError,
  OciError,
  PartialFailure,
  RegistryError,
  ResolveError,
  SignError,
  SpecError,
} from './errors.ts';
export type { ErrorOptions, SpecProblem } from './errors.ts';
export type { BuildEvent, Report, Stage } from './events.ts';
export type { Cache, Files, Io } from './io.ts';
export {
  makeDay1MachineConfig,
  ProduceMachineConfig,
  produceMachineConfig,
} from './manifests/day1/produce.ts';
export type {
  Activation,
  Day1CommonOptions,
  Day1DriverOptions,
  Day1DriversOptions,
  Day1ImageOptions,
  Day1ModuleEntry,
  Day1ModuleOptions,
  Day1Options,
  LoaderName,
} from './manifests/day1/options.ts';
export { day1OptionsOfBootModuleConfig, makeBootModuleConfig } from './manifests/boot-module-config.ts';
export type { BootModuleConfig, BootModuleConfigOptions } from './manifests/boot-module-config.ts';
export { makeButane } from './manifests/butane.ts';
export type { ButaneConfig, ButaneOptions } from './manifests/butane.ts';
export { makeFirmwarePathMachineConfig } from './manifests/firmware-path.ts';
export type { FirmwarePathOptions } from './manifests/firmware-path.ts';
export type { Labels } from './manifests/labels.ts';
export { makeImageSetConfiguration } from './manifests/image-set.ts';
export type { ImageSetConfiguration, ImageSetOptions, ImageSetRelease } from './manifests/image-set.ts';
export { kmmVersionLabel, makeKmmModule } from './manifests/kmm-module.ts';
export type { KmmModule, KmmModuleOptions } from './manifests/kmm-module.ts';
export { makeImageDigestMirrorSet, makeImageTagMirrorSet } from './manifests/mirror-set.ts';
export type {
  ImageDigestMirrorSet,
  ImageTagMirrorSet,
  MirrorEntry,
  MirrorSetOptions,
} from './manifests/mirror-set.ts';
export { makePinnedImageSet } from './manifests/pinned-image-set.ts';
export type { PinnedImageSet, PinnedImageSetOptions } from './manifests/pinned-image-set.ts';
export { makeMachineConfigPool } from './manifests/machine-config-pool.ts';
export type { MachineConfigPool, MachineConfigPoolOptions } from './manifests/machine-config-pool.ts';
export { makeNodeDisruptionPolicy } from './manifests/node-disruption-policy.ts';
export type {
  MachineConfiguration,
  NodeDisruptionPolicyOptions,
} from './manifests/node-disruption-policy.ts';
export type { IgnitionConfig, MachineConfig } from './manifests/machine-config.ts';
export type { IgnitionFile } from './manifests/ignition-file.ts';
export type { SystemdUnit } from './manifests/systemd-unit.ts';
export { makeOsImageMachineConfig } from './manifests/os-image.ts';
export type { OsImageMachineConfig, OsImageOptions } from './manifests/os-image.ts';
export { toYaml } from './manifests/yaml.ts';
export { ARCHES, findArch, goArchOf, parseArch } from './oci/arch.ts';
export type { Arch, GoArch } from './oci/arch.ts';
export { parseDigest } from './oci/digest.ts';
export type { Digest } from './oci/digest.ts';
export { formatReference, parseReference, pinned, tagged, unpinned } from './oci/reference.ts';
export type { LayoutReference, Reference, RegistryReference } from './oci/reference.ts';
export { parseTag, tagFrom } from './oci/tag.ts';
export type { Tag } from './oci/tag.ts';
export { parseKernelRelease } from './spec/kernel-release.ts';
export type { KernelFlavour, KernelRelease } from './spec/kernel-release.ts';
export { parseModuleName } from './spec/module-name.ts';
export type { ModuleName } from './spec/module-name.ts';
export { parseOpenShiftVersion } from './spec/openshift-version.ts';
export type { OpenShiftVersion } from './spec/openshift-version.ts';
