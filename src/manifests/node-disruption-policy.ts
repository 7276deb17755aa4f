import { SpecError } from '../errors.ts';
import { makeArgumentReader } from './arguments.ts';
import { type NodePath, parseNodePath } from './ignition-file.ts';
import type { MachineConfig } from './machine-config.ts';
import { parseMachineConfig } from './read-machine-config.ts';
import { parseUnitName, type UnitName } from './systemd-unit.ts';

/** At least one of these. */
export interface NodeDisruptionPolicyOptions {
  /** MachineConfigs of ours, whose files and units are taken: `makeDay1MachineConfig`. */
  readonly machineConfigs?: readonly MachineConfig[];
  /** Paths of other files. */
  readonly files?: readonly string[];
  /** Names of other units. */
  readonly units?: readonly string[];
}

/** `None` is all that what takes effect at boot needs. */
type Actions = readonly [{ readonly type: 'None' }];

/** The object `cluster` that configures the Machine Config Operator; every cluster has one. */
export interface MachineConfiguration {
  readonly apiVersion: 'operator.openshift.io/v1';
  readonly kind: 'MachineConfiguration';
  readonly metadata: { readonly name: 'cluster' };
  readonly spec: {
    readonly nodeDisruptionPolicy: {
      readonly files?: readonly { readonly path: string; readonly actions: Actions }[];
      readonly units?: readonly { readonly name: string; readonly actions: Actions }[];
    };
  };
}

/** What the definition of MachineConfiguration allows, of files and of units. */
const MAX_ENTRIES = 50;

const NOTHING: Actions = [{ type: 'None' }];

/**
 * The policy that lets files and units change without a drain and a reboot of their nodes: what is new takes effect at
 * the next boot, as all of Day 1 does. A change of kernel arguments or of the OS image makes nodes reboot in any case.
 *
 * Of templates of units and their instances the definition takes no names: those of MachineConfigs are left out, and a
 * change of them makes nodes reboot.
 *
 * Apply it with `oc apply --server-side`: other policies of the cluster then stay as they are.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makeNodeDisruptionPolicy(options: NodeDisruptionPolicyOptions): MachineConfiguration {
  const read = makeArgumentReader('this MachineConfiguration');
  const given = read.object('', options, ['machineConfigs', 'files', 'units']);
  const list = <Value>(key: string, one: (path: string, value: unknown) => Value | undefined) =>
    given[key] === undefined ? [] : read.list(key, given[key], one);

  const machineConfigs = list('machineConfigs', (at, value) => read.nested(at, value, parseMachineConfig));
  const paths: readonly NodePath[] = [
    ...machineConfigs.flatMap(({ spec }) => (spec.config.storage?.files ?? []).map(({ path }) => path)),
    ...list('files', (at, value) => read.text(at, value, parseNodePath)),
  ];
  const names: readonly UnitName[] = [
    ...machineConfigs
      .flatMap(({ spec }) => (spec.config.systemd?.units ?? []).map(({ name }) => name))
      .filter(isTaken),
    ...list('units', (at, value) => read.text(at, value, parsePolicyUnit)),
  ];
  const files = [...new Set(paths)].map((path) => ({ path, actions: NOTHING }));
  const units = [...new Set(names)].map((name) => ({ name, actions: NOTHING }));
  for (const [key, entries] of Object.entries({ files, units })) {
    if (entries.length > MAX_ENTRIES) {
      read.report(
        key,
        `There are ${entries.length} ${key}, and a policy takes ${MAX_ENTRIES}`,
        'Leave out what rarely changes: it then makes nodes reboot.',
      );
    }
  }
  if (files.length + units.length === 0) {
    read.report(
      'machineConfigs',
      'There are neither files nor units',
      'Name what is to change without a reboot.',
    );
  }
  read.finish();
  return {
    apiVersion: 'operator.openshift.io/v1',
    kind: 'MachineConfiguration',
    metadata: { name: 'cluster' },
    spec: {
      nodeDisruptionPolicy: {
        ...(files.length === 0 ? {} : { files }),
        ...(units.length === 0 ? {} : { units }),
      },
    },
  };
}

function isTaken(name: UnitName): boolean {
  return !name.includes('@');
}

function parsePolicyUnit(text: string): UnitName {
  const name = parseUnitName(text);
  if (isTaken(name)) return name;
  throw new SpecError('VALUE_INVALID', `Cannot name unit ${name} in a policy: its name has an "@"`, {
    hint: 'Leave it out: a change of it makes nodes reboot.',
  });
}
