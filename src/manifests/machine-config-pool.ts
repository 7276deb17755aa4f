import { SpecError } from '../errors.ts';
import { parseObjectName, type ObjectName } from '../spec/object-name.ts';
import { type ArgumentReader, makeArgumentReader, required } from './arguments.ts';
import { type Labels, parseSubdomain, readLabels } from './labels.ts';

export interface MachineConfigPoolOptions {
  /** Name of the pool, for instance `worker-rt`; also the role in its MachineConfigs. */
  readonly name: string;
  /** Labels of its nodes; `node-role.kubernetes.io/<name>` when absent. */
  readonly nodeSelector?: Labels;
  /** How many nodes are updated at a time: a number, or a part such as `10%`; the operator takes 1 when absent. */
  readonly maxUnavailable?: number | string;
  /** Hold updates back until this is false. */
  readonly paused?: boolean;
  /**
   * Stream of the OS image that its nodes run, for instance `rhel-10`. The operator refuses a pool that has it beside a
   * MachineConfig with `osImageURL`.
   */
  readonly osImageStream?: string;
}

/** A MachineConfigPool beside those that every cluster has. */
export interface MachineConfigPool {
  readonly apiVersion: 'machineconfiguration.openshift.io/v1';
  readonly kind: 'MachineConfigPool';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly machineConfigSelector: {
      readonly matchExpressions: readonly [
        { readonly key: string; readonly operator: 'In'; readonly values: readonly string[] },
      ];
    };
    readonly nodeSelector: { readonly matchLabels: Labels };
    readonly maxUnavailable?: number | string;
    readonly paused?: boolean;
    readonly osImageStream?: { readonly name: string };
  };
}

/** Pools that are there already; their selectors are the operator's. */
const BUILT_IN = ['master', 'worker', 'arbiter'];

/** Roles whose nodes the operator keeps in the pools that they have. */
const CONTROL_PLANE = ['master', 'control-plane', 'arbiter'].map((role) => `node-role.kubernetes.io/${role}`);

/** Says whether every cluster has this pool. */
export function isBuiltInPool(name: string): boolean {
  return BUILT_IN.includes(name);
}

/**
 * A pool for some of the workers: it takes the MachineConfigs of workers and its own, whose settings win.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makeMachineConfigPool(options: MachineConfigPoolOptions): MachineConfigPool {
  const read = makeArgumentReader('this MachineConfigPool');
  const keys = ['name', 'nodeSelector', 'maxUnavailable', 'paused', 'osImageStream'];
  const given = read.object('', options, keys);
  const optional = <Value>(key: string, one: (value: unknown) => Value): Value | undefined =>
    given[key] === undefined ? undefined : one(given[key]);

  const name = read.text('name', given['name'], parsePoolName);
  const nodeSelector = optional('nodeSelector', (value) => readSelector(read, value));
  const maxUnavailable = optional('maxUnavailable', (value) => {
    if (isAmount(value)) return value;
    read.report(
      'maxUnavailable',
      '"maxUnavailable" must be a number of nodes, or a part of them',
      'Give a whole number from 1 on, or a text from "1%" to "100%".',
    );
    return undefined;
  });
  const paused = optional('paused', (value) => read.boolean('paused', value));
  const osImageStream = optional('osImageStream', (value) =>
    read.text('osImageStream', value, parseSubdomain),
  );
  read.finish();

  const pool = required(name);
  return {
    apiVersion: 'machineconfiguration.openshift.io/v1',
    kind: 'MachineConfigPool',
    metadata: { name: pool },
    spec: {
      machineConfigSelector: {
        matchExpressions: [
          { key: 'machineconfiguration.openshift.io/role', operator: 'In', values: ['worker', pool] },
        ],
      },
      nodeSelector: { matchLabels: nodeSelector ?? { [`node-role.kubernetes.io/${pool}`]: '' } },
      ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
      ...(paused === undefined ? {} : { paused }),
      ...(osImageStream === undefined ? {} : { osImageStream: { name: osImageStream } }),
    },
  };
}

function parsePoolName(text: string): ObjectName {
  if (!isBuiltInPool(text)) return parseObjectName(text);
  throw new SpecError('VALUE_INVALID', `Cannot make pool ${text}: every cluster has it`, {
    hint: `Change it with "oc patch machineconfigpool ${text}", or choose another name.`,
  });
}

/** Nought would be taken for one. */
function isAmount(value: unknown): value is number | string {
  return typeof value === 'number'
    ? Number.isInteger(value) && value >= 1 && value <= 100_000
    : typeof value === 'string' && /^(?:[1-9]\d?|100)%$/.test(value);
}

/** An empty selector would take every node, and one of the control plane makes the operator fail. */
function readSelector(read: ArgumentReader, value: unknown): Labels {
  const labels = readLabels(read, 'nodeSelector', value);
  for (const key of Object.keys(labels).filter((label) => CONTROL_PLANE.includes(label))) {
    read.report(
      `nodeSelector[${JSON.stringify(key)}]`,
      'A custom pool cannot take nodes of the control plane',
      'Choose workers; give MachineConfigs for the control plane to pool "master".',
    );
  }
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) {
    read.report('nodeSelector', '"nodeSelector" is empty', 'Name a label that only nodes of the pool have.');
  }
  return labels;
}
