import { OciError } from '../../../errors.ts';
import { parseReference } from '../../../oci/reference.ts';
import { type Draft, reporterOf, type Report } from '../finding.ts';
import type { Manifest } from '../manifest.ts';
import type { ManifestSet } from '../rule.ts';
import { mappingOf, textOf, type ValuePath } from '../values.ts';

const REQUIRED: readonly string[] = [
  'machineConfigName',
  'machineConfigPoolName',
  'kernelModuleImage',
  'kernelModuleName',
];

/** Rules on BootModuleConfigs, which nothing in a cluster validates. */
export function bootModuleRules({ manifests, machineConfigs }: ManifestSet, drafts: Draft[]): void {
  const targets = new Map<string, Manifest>();
  for (const manifest of manifests) {
    if (manifest.kind !== 'BootModuleConfig' || manifest.apiVersion !== 'kmm.sigs.x-k8s.io/v1beta1') continue;
    const report = reporterOf(manifest, drafts);
    fields(manifest, report);
    const target = textOf(mappingOf(manifest.value['spec'])['machineConfigName']);
    if (target === undefined) continue;
    const path = ['spec', 'machineConfigName'];
    const other = targets.get(target);
    if (other !== undefined) {
      report({
        rule: 'boot-module-target',
        severity: 'error',
        path,
        message: `${other.name} writes the MachineConfig ${target} as well: each takes out what the other wrote, without an end`,
        hint: 'Give each its own MachineConfig.',
      });
    }
    targets.set(target, manifest);
    const foreign = machineConfigs.find(
      (config) => config.manifest.name === target && config.files.length + config.units.length > 0,
    );
    if (
      foreign === undefined ||
      foreign.units.some(({ name }) => name === `${target}-pull-kernel-module-image.service`)
    )
      continue;
    report({
      rule: 'boot-module-target',
      severity: 'error',
      path,
      message: `there is a MachineConfig ${target}, which holds something else: KMM replaces all of its files and units`,
      hint: 'Choose a name that no MachineConfig has.',
    });
  }
}

function fields({ value }: Manifest, report: Report): void {
  const spec = mappingOf(value['spec']);
  const say = (path: ValuePath, message: string, hint: string): void => {
    report({ rule: 'boot-module-field', severity: 'error', path, message, hint });
  };
  for (const key of REQUIRED) {
    if (textOf(spec[key]) === undefined)
      say(
        ['spec'],
        `${key} is missing or empty`,
        'Write all of machineConfigName, machineConfigPoolName, kernelModuleImage and kernelModuleName.',
      );
  }
  for (const key of ['machineConfigName', 'machineConfigPoolName']) {
    const name = textOf(spec[key]);
    if (name !== undefined && !/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(name))
      say(
        ['spec', key],
        'it is no name of an object: KMM fails to write the MachineConfig, and says so in its log alone',
        'Use lower-case letters, digits, "-" and ".".',
      );
  }
  const module = textOf(spec['kernelModuleName']);
  if (module !== undefined && !/^[A-Za-z0-9_-]{1,55}$/.test(module))
    say(
      ['spec', 'kernelModuleName'],
      'it is no name of a module: it goes into units and scripts as it is',
      'Write the name that lsmod prints.',
    );
  const image = textOf(spec['kernelModuleImage']);
  if (image === undefined) return;
  const path = ['spec', 'kernelModuleImage'];
  try {
    const { tag, digest } = parseReference(image);
    if (tag !== undefined || digest !== undefined)
      say(
        path,
        `the image has a ${digest === undefined ? 'tag' : 'digest'}, and the scripts add ":" and the kernel release to it: no such name can be pulled`,
        'Name the repository alone, with a tag for each kernel release in it.',
      );
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    say(path, 'it is no name of an image: no node can pull it', 'Write HOST/REPOSITORY.');
  }
}
