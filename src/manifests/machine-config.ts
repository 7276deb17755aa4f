import { SpecError } from '../errors.ts';
import { parseObjectName } from '../spec/object-name.ts';
import type { IgnitionFile } from './ignition-file.ts';
import type { SystemdUnit } from './systemd-unit.ts';

/** Ignition as every OpenShift since 4.8 takes it. */
export interface IgnitionConfig {
  readonly ignition: { readonly version: '3.2.0' };
  readonly storage?: { readonly files: readonly IgnitionFile[] };
  readonly systemd?: { readonly units: readonly SystemdUnit[] };
}

/** A MachineConfig with files, units and kernel arguments. */
export interface MachineConfig {
  readonly apiVersion: 'machineconfiguration.openshift.io/v1';
  readonly kind: 'MachineConfig';
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly config: IgnitionConfig; readonly kernelArguments?: readonly string[] };
}

/** What a node gets from one MachineConfig. */
export interface NodeParts {
  readonly files: readonly IgnitionFile[];
  /** In the order in which they are listed. */
  readonly units: readonly SystemdUnit[];
  /** In `spec.kernelArguments`; a change of them makes nodes reboot. */
  readonly kernelArguments: readonly string[];
}

export interface MachineConfigOptions extends NodeParts {
  readonly name: string;
  /** MachineConfigPool whose nodes get it. */
  readonly pool: string;
}

/** What the Machine Config Operator takes for a pool, all of its MachineConfigs together. */
const MAX_RENDERED_BYTES = 1_572_864;

// As /proc/cmdline has it: no spaces, no quotes, nothing that a boot loader reads otherwise.
const KERNEL_ARGUMENT = /^[A-Za-z0-9_][A-Za-z0-9_.,:/=+@-]{0,511}$/;

/**
 * A MachineConfig.
 *
 * @throws {SpecError} `VALUE_INVALID` for a name or pool that Kubernetes would refuse, two files of a path, two units of a
 *   name, a kernel argument that is not one word, and more than a pool can take.
 */
export function makeMachineConfig(options: MachineConfigOptions): MachineConfig {
  const { name, pool, files, units, kernelArguments } = options;
  requireOnce(
    'file',
    files.map(({ path }) => path),
  );
  requireOnce(
    'unit',
    units.map((unit) => unit.name),
  );
  const wrong = kernelArguments.find((argument) => !KERNEL_ARGUMENT.test(argument));
  if (wrong !== undefined) {
    throw new SpecError('VALUE_INVALID', `Cannot use kernel argument ${JSON.stringify(wrong.slice(0, 200))}`);
  }
  const machineConfig: MachineConfig = {
    apiVersion: 'machineconfiguration.openshift.io/v1',
    kind: 'MachineConfig',
    metadata: {
      name: parseObjectName(name),
      labels: { 'machineconfiguration.openshift.io/role': parseObjectName(pool) },
    },
    spec: {
      config: {
        ignition: { version: '3.2.0' },
        ...(files.length === 0 ? {} : { storage: { files } }),
        ...(units.length === 0 ? {} : { systemd: { units } }),
      },
      ...(kernelArguments.length === 0 ? {} : { kernelArguments }),
    },
  };
  const sizeBytes = Buffer.byteLength(JSON.stringify(machineConfig));
  if (sizeBytes > MAX_RENDERED_BYTES) {
    throw new SpecError(
      'VALUE_INVALID',
      `Cannot make MachineConfig ${name}: it has ${sizeBytes} bytes, and all of a pool may have ${MAX_RENDERED_BYTES}`,
      { hint: 'Ship what is large in an image.' },
    );
  }
  return machineConfig;
}

function requireOnce(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    throw new SpecError('VALUE_INVALID', `Cannot make a MachineConfig with two ${what}s ${twice}`);
  }
}
