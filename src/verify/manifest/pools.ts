import { MACHINE_CONFIG_API, type MachineConfig } from './machine-config.ts';
import type { Manifest } from './manifest.ts';
import { isAtLeast, type Minor } from './release.ts';
import type { LintOptions, Pool } from './rule.ts';
import { listOf, type Mapping, mappingOf, textOf, textsOf, valueAt, type Value } from './values.ts';

/** Pools that every cluster has. */
export const OWN_POOLS: readonly string[] = ['master', 'worker', 'arbiter'];

/**
 * The pools and what each merges: those that are objects, as their selectors say, and for roles that none of them
 * selects the pool that is customary, which is named as the role and selects `worker` as well.
 */
export function makePools(
  manifests: readonly Manifest[],
  configs: readonly MachineConfig[],
  options: LintOptions,
): readonly Pool[] {
  const objects = manifests.filter(
    ({ kind, apiVersion }) => kind === 'MachineConfigPool' && apiVersion === MACHINE_CONFIG_API,
  );
  const merged = configs.filter(({ origin }) => origin !== 'rendered');
  const pools: Pool[] = objects.map((manifest) => {
    const selector = mappingOf(valueAt(manifest.value, ['spec', 'machineConfigSelector']));
    return {
      name: manifest.name,
      manifest,
      configs: inMergeOrder(
        merged.filter(({ labels }) => isSelected(labels, selector)),
        options.release,
      ),
    };
  });
  const selected = new Set(pools.flatMap((pool) => pool.configs));
  const roles = new Set(
    merged.flatMap((config) => (config.role === undefined || selected.has(config) ? [] : [config.role])),
  );
  for (const role of roles) {
    if (pools.some(({ name }) => name === role)) continue;
    const wanted = OWN_POOLS.includes(role) ? [role] : ['worker', role];
    pools.push({
      name: role,
      manifest: undefined,
      configs: inMergeOrder(
        merged.filter((config) => config.role !== undefined && wanted.includes(config.role)),
        options.release,
      ),
    });
  }
  return options.pool === undefined ? pools : pools.filter(({ name }) => name === options.pool);
}

/** MachineConfigs in the order in which a pool merges them; that of 4.15 and later when the release is not known. */
export function inMergeOrder(
  configs: readonly MachineConfig[],
  release: Minor | undefined,
): readonly MachineConfig[] {
  const byName = configs.toSorted((a, b) => compare(a.manifest.name, b.manifest.name));
  if (release !== undefined && !isAtLeast(release, 4, 15)) return byName;
  return [
    ...byName.filter(({ role }) => role === 'worker'),
    ...byName.filter(({ role }) => role !== 'worker'),
  ];
}

/** Says whether labels match a selector; one without any condition matches everything. @see metav1.LabelSelector */
export function isSelected(labels: Mapping, selector: Mapping): boolean {
  const wanted = Object.entries(mappingOf(selector['matchLabels']));
  const conditions = listOf(selector['matchExpressions']).map(mappingOf);
  return (
    wanted.every(([key, value]) => labels[key] === value) &&
    conditions.every((condition) => {
      const value: Value | undefined = labels[textOf(condition['key']) ?? ''];
      const values = textsOf(condition['values']);
      switch (textOf(condition['operator']) ?? '') {
        case 'In':
          return typeof value === 'string' && values.includes(value);
        case 'NotIn':
          return typeof value !== 'string' || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        default:
          return false;
      }
    })
  );
}

/** Roles that a selector names. */
export function selectedRoles(selector: Mapping, label: string): readonly string[] {
  const single = textOf(mappingOf(selector['matchLabels'])[label]);
  const listed = listOf(selector['matchExpressions'])
    .map(mappingOf)
    .filter((condition) => condition['key'] === label && condition['operator'] === 'In')
    .flatMap((condition) => textsOf(condition['values']));
  return single === undefined ? listed : [single, ...listed];
}

/** Bytewise, as Go sorts. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
