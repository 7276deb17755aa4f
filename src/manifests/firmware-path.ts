import { SpecError } from '../errors.ts';
import { parseObjectName } from '../spec/object-name.ts';
import { makeArgumentReader, required } from './arguments.ts';
import { type NodePath, parseNodePath } from './ignition-file.ts';
import { type MachineConfig, makeMachineConfig } from './machine-config.ts';

export interface FirmwarePathOptions {
  /** Name of the MachineConfig, for instance `99-worker-firmware-path`. */
  readonly name: string;
  /** MachineConfigPool whose nodes look for firmware there, for instance `worker`. */
  readonly pool: string;
  /** Directory on the node; `/var/lib/firmware`, where Kernel Module Management puts firmware, when absent. */
  readonly directory?: string;
}

/** Where firmware goes on nodes, unless it is said otherwise: `/usr/lib/firmware` is read-only there. */
export const FIRMWARE_DIRECTORY = '/var/lib/firmware';

/**
 * The MachineConfig that makes kernels look for firmware in a directory before they look in `/usr/lib/firmware`, from the
 * start of the boot on. It makes the nodes of the pool reboot.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makeFirmwarePathMachineConfig(options: FirmwarePathOptions): MachineConfig {
  const read = makeArgumentReader('this MachineConfig');
  const given = read.object('', options, ['name', 'pool', 'directory']);
  const name = read.text('name', given['name'], parseObjectName);
  const pool = read.text('pool', given['pool'], parseObjectName);
  const directory = read.text('directory', given['directory'] ?? FIRMWARE_DIRECTORY, parseFirmwareDirectory);
  read.finish();
  return makeMachineConfig({
    name: required(name),
    pool: required(pool),
    files: [],
    units: [],
    kernelArguments: [firmwareArgument(required(directory))],
  });
}

/** The kernel's parameter for a directory of firmware. */
export function firmwareArgument(directory: NodePath): string {
  return `firmware_class.path=${directory}`;
}

/**
 * Reads a directory that the kernel is to look for firmware in; it keeps 255 characters of it.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseFirmwareDirectory(text: string): NodePath {
  if (text.length <= 255) return parseNodePath(text);
  throw new SpecError('VALUE_INVALID', 'Cannot use this firmware directory: its path is too long', {
    hint: 'The kernel takes at most 255 characters.',
  });
}
