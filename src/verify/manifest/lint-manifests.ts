import type { Finding } from '../report.ts';
import { type Draft, type ManifestFinding, placeDraft } from './finding.ts';
import { MACHINE_CONFIG_API, readMachineConfig } from './machine-config.ts';
import type { Manifest } from './manifest.ts';
import { makePools } from './pools.ts';
import type { LintOptions, ManifestRule, ManifestSet } from './rule.ts';
import { bootModuleRules } from './rules/boot-module-rules.ts';
import { fileRules } from './rules/file-rules.ts';
import { hazardRules } from './rules/hazard-rules.ts';
import { ignitionRules } from './rules/ignition-rules.ts';
import { machineConfigRules } from './rules/machine-config-rules.ts';
import { moduleRules } from './rules/module-rules.ts';
import { objectRules } from './rules/object-rules.ts';
import { operatorRules } from './rules/operator-rules.ts';
import { orderRules } from './rules/order-rules.ts';
import { pathRules } from './rules/path-rules.ts';
import { poolRules } from './rules/pool-rules.ts';
import { structureRules } from './rules/structure-rules.ts';
import { unitRules } from './rules/unit-rules.ts';

const RULES: readonly ManifestRule[] = [
  objectRules,
  machineConfigRules,
  ignitionRules,
  structureRules,
  fileRules,
  pathRules,
  unitRules,
  hazardRules,
  orderRules,
  poolRules,
  operatorRules,
  moduleRules,
  bootModuleRules,
];

const SEVERITIES: readonly Finding['severity'][] = ['error', 'warning', 'note'];

/** What was found, and what was looked at to find it. */
export interface ManifestReport {
  /** By file and line; of one line the worst first. */
  readonly findings: readonly ManifestFinding[];
  /** Objects that were read. */
  readonly objects: number;
  readonly machineConfigs: number;
  /** MachineConfigs that the operator wrote: taken into what pools merge, and not judged. */
  readonly operatorConfigs: number;
  /** Pools by name, with the number of MachineConfigs that each merges. */
  readonly pools: readonly { readonly name: string; readonly configs: number }[];
}

/** Holds manifests to what the operators that read them are known to refuse, to drop and to do wrong with. */
export function lintManifests(manifests: readonly Manifest[], options: LintOptions = {}): ManifestReport {
  const machineConfigs = manifests
    .filter(({ kind, apiVersion }) => kind === 'MachineConfig' && apiVersion === MACHINE_CONFIG_API)
    .map(readMachineConfig);
  const set: ManifestSet = {
    options,
    manifests,
    machineConfigs,
    pools: makePools(manifests, machineConfigs, options),
  };
  const drafts: Draft[] = [];
  for (const rule of RULES) rule(set, drafts);
  const order = new Map(manifests.map(({ file }, at) => [file.name, at]));
  return {
    findings: drafts
      .map(placeDraft)
      .sort(
        (a, b) =>
          (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) ||
          a.line - b.line ||
          SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
      ),
    objects: manifests.length,
    machineConfigs: machineConfigs.length,
    operatorConfigs: machineConfigs.filter(({ origin }) => origin !== 'user').length,
    pools: set.pools.map(({ name, configs }) => ({ name, configs: configs.length })),
  };
}
