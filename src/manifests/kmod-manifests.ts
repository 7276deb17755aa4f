import type { DriverSet } from '../spec/driver-set.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { day1OptionsOf } from './day1/from-set.ts';
import { makeDay1MachineConfig } from './day1/produce.ts';
import { makeKmmModule } from './kmm-module.ts';
import { kmmModuleOptionsOf } from './modules-from-set.ts';
import { toYaml } from './yaml.ts';

export interface KmodManifestsOptions {
  /** What nodes with a kernel pull, by digest. */
  readonly images: ReadonlyMap<KernelRelease, string>;
  /** Namespace of KMM's Modules; none are made without it. */
  readonly kmmNamespace?: string | undefined;
}

/**
 * What rolls the kmod images of a set out: a MachineConfig for each pool that loads the drivers of Day 1, and, when asked,
 * the Modules of KMM. Both name images by digest for each kernel.
 *
 * @throws {SpecError} `VALUE_INVALID` for what Day 1 units or KMM cannot do.
 */
export function kmodManifests(
  set: DriverSet,
  { images, kmmNamespace }: KmodManifestsOptions,
): readonly { readonly fileName: string; readonly yaml: string }[] {
  if (images.size === 0 || set.publish.kmodImage?.transport !== 'docker') return [];
  const byKernel = Object.fromEntries(images);
  const day1 = (set.rollout.day1 ?? []).length === 0 ? [] : day1OptionsOf(set, byKernel);
  const modules = kmmNamespace === undefined ? [] : kmmModuleOptionsOf(set, kmmNamespace, byKernel);
  return [
    ...day1.map((options) => ({
      fileName: `${options.name}.yaml`,
      yaml: toYaml([makeDay1MachineConfig(options)]),
    })),
    ...(modules.length === 0
      ? []
      : [{ fileName: `${set.name}-modules.yaml`, yaml: toYaml(modules.map(makeKmmModule)) }]),
  ];
}
