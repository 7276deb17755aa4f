import { SpecError } from '../../errors.ts';
import { formatReference } from '../../oci/reference.ts';
import { type IgnitionFile, makeIgnitionFile, parseNodePath } from '../ignition-file.ts';
import type { NodeParts } from '../machine-config.ts';
import { fillUnit, parseUnitName, type SystemdUnit, unitText, unitVariable } from '../systemd-unit.ts';
import {
  PULL_KERNEL_MODULE_IMAGE_SERVICE,
  PULL_KERNEL_MODULE_IMAGE_SH,
  REPLACE_KERNEL_MODULE_SERVICE,
  REPLACE_KERNEL_MODULE_SH,
  WAIT_FOR_DISPATCHER_SH,
} from './kmm.generated.ts';
import type { Day1Driver, Day1Request } from './options.ts';

/** The worker that KMM's own library names when it is told none. */
const DEFAULT_WORKER = 'quay.io/edge-infrastructure/kernel-module-management-worker:latest';

/** Time for the script to put the in-tree modules back, or to say what it could not pull, before the unit is killed. */
const GRACE_SECONDS = 20;

/**
 * What Kernel Module Management puts on a node for one module: its units, files and names of variables, so that whoever
 * reads those finds them. The scripts are ours.
 *
 * Variables that KMM does not have are only added: the name of the MachineConfig, by which several of them on a node stay
 * apart, times, and what differs from KMM's fixed values.
 *
 * @throws {SpecError} `VALUE_INVALID` for what the worker of KMM cannot do.
 */
export function kmmLoader(request: Day1Request): NodeParts {
  const driver = requireKmmDriver(request);
  return {
    files: [
      script('replace-kernel-module.sh', REPLACE_KERNEL_MODULE_SH),
      script('pull-kernel-module-image.sh', PULL_KERNEL_MODULE_IMAGE_SH),
      script('wait-for-dispatcher.sh', WAIT_FOR_DISPATCHER_SH),
    ],
    units: [
      replaceUnit(request, driver),
      pullUnit(request, driver),
      // On a node that went down hard it deletes all images, those of the units included. KMM masks it, too.
      { name: parseUnitName('crio-wipe.service'), enabled: false, mask: true },
    ],
    kernelArguments: [],
  };
}

/** What `kmmLoader` makes is for one module of one image. */
function requireKmmDriver({ drivers }: Day1Request): Day1Driver {
  const [driver] = drivers;
  if (driver === undefined || drivers.length > 1 || driver.modules.length > 1 || driver.softdeps.length > 0) {
    throw cannot(
      'drivers',
      'The loader "kmm" loads one module',
      'Make one MachineConfig for each, or use another loader.',
    );
  }
  if (driver.image.type === 'by-kernel') {
    throw cannot(
      'image',
      'The loader "kmm" knows one image',
      'Name a repository whose tags are kernel releases.',
    );
  }
  return driver;
}

function cannot(path: string, message: string, hint: string): SpecError {
  return new SpecError('VALUE_INVALID', 'Cannot make this MachineConfig for KMM', {
    problems: [{ path, message, hint }],
  });
}

function script(name: string, contents: string): IgnitionFile {
  return makeIgnitionFile({ path: parseNodePath(`/usr/local/bin/${name}`), mode: 0o755, contents });
}

function replaceUnit(request: Day1Request, driver: Day1Driver): SystemdUnit {
  const [module] = driver.modules;
  // modprobe puts quotes around values that need them.
  const parameters = Object.entries(module?.parameters ?? {}).map((setting) => setting.join('='));
  return unit(request, 'replace-kernel-module', {
    template: REPLACE_KERNEL_MODULE_SERVICE,
    timeoutSeconds: request.loadTimeoutSeconds,
    variables: {
      FIRMWARE_FILES_PATH: driver.firmware ?? '',
      IN_TREE_MODULES_TO_REMOVE: (module?.replaces ?? []).join(' '),
      KERNEL_MODULE: module?.name ?? '',
      KERNEL_MODULE_IMAGE: imageOf(driver),
      WORKER_CONFIG_FILEPATH: '/var/lib/kmm_day1_config.yaml',
      WORKER_IMAGE: workerOf(request),
      FIRMWARE_DIRECTORY: request.firmwareDirectory,
      LOAD_TIMEOUT_SECONDS: String(Math.max(1, request.loadTimeoutSeconds - GRACE_SECONDS)),
      MODULES_DIRECTORY: driver.directory,
      ...(parameters.length === 0 ? {} : { MODULE_PARAMETERS: JSON.stringify(parameters) }),
    },
  });
}

function pullUnit(request: Day1Request, driver: Day1Driver): SystemdUnit {
  return unit(request, 'pull-kernel-module-image', {
    template: PULL_KERNEL_MODULE_IMAGE_SERVICE,
    timeoutSeconds: request.pullTimeoutSeconds,
    variables: {
      KERNEL_MODULE_IMAGE: imageOf(driver),
      // Nothing reads it; KMM's unit has it.
      KERNEL_MODULE_IMAGE_FILEPATH: '/var/lib/image_file_day1.tar',
      WORKER_IMAGE: workerOf(request),
      AUTH_FILE: request.authFile,
      PULL_TIMEOUT_SECONDS: String(Math.max(1, request.pullTimeoutSeconds - GRACE_SECONDS)),
      ...(request.activation === 'next-boot' ? { REBOOT: 'no' } : {}),
    },
  });
}

interface UnitParts {
  readonly template: string;
  readonly timeoutSeconds: number;
  readonly variables: Readonly<Record<string, string>>;
}

function unit(request: Day1Request, suffix: string, parts: UnitParts): SystemdUnit {
  const variables = { ...parts.variables, MACHINE_CONFIG_NAME: request.name };
  return {
    name: parseUnitName(`${request.name}-${suffix}.service`),
    enabled: true,
    contents: fillUnit(parts.template, {
      Service: [
        // Without the "-", units fail on a cluster without a proxy.
        ...(request.hasProxy ? [['EnvironmentFile', unitText('-/etc/mco/proxy.env')] as const] : []),
        ...Object.entries(variables).map(
          ([name, value]) => ['Environment', unitVariable(name, value)] as const,
        ),
        ['TimeoutSec', unitText(String(parts.timeoutSeconds))],
      ],
    }),
  };
}

function imageOf({ image }: Day1Driver): string {
  switch (image.type) {
    case 'tag-by-kernel':
      return formatReference(image.repository);
    case 'one':
      return formatReference(image.reference);
    case 'by-kernel':
      throw new TypeError('A table of images was not refused');
  }
}

function workerOf({ workerImage }: Day1Request): string {
  return workerImage === undefined ? DEFAULT_WORKER : formatReference(workerImage);
}
