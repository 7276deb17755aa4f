import { firmwareArgument } from '../firmware-path.ts';
import { type IgnitionFile, makeIgnitionFile, parseNodePath } from '../ignition-file.ts';
import type { NodeParts } from '../machine-config.ts';
import {
  type Directive,
  type Directives,
  fillUnit,
  parseUnitName,
  type SystemdUnit,
  unitCommand,
  unitText,
} from '../systemd-unit.ts';
import { hostConfig, hostPrefix } from './host-config.ts';
import { DAY1_SH, LOAD_SERVICE, PULL_SERVICE, PULL_TIMER, UNINSTALL_SERVICE } from './host.generated.ts';
import type { Day1Driver, Day1Request } from './options.ts';

/** Most that copying, checking and taking locks needs beside what the request bounds. */
const MARGIN_SECONDS = 120;

/**
 * Loads modules without a worker: a script copies them out of the image when it is pulled, and the host's own modprobe
 * loads them at boot, before the network. Each driver has units, a configuration and a state of its own; the script is
 * one. With `isRemoval`, the node gets one service for each driver, which takes away what the others left.
 */
export function hostLoader(request: Day1Request): NodeParts {
  const { drivers, firmwareDirectory, isRemoval } = request;
  const hasFirmware = !isRemoval && drivers.some(({ firmware }) => firmware !== undefined);
  return {
    files: [
      makeIgnitionFile({ path: scriptPath(request), mode: 0o755, contents: DAY1_SH }),
      ...drivers.map((_driver, index) => configFile(request, index)),
    ],
    units: drivers.flatMap((driver, index) =>
      isRemoval ? [uninstallService(request, driver)] : unitsOf(request, index),
    ),
    // Before any module asks for firmware, those that udev loads included.
    kernelArguments: hasFirmware ? [firmwareArgument(firmwareDirectory)] : [],
  };
}

function configFile(request: Day1Request, index: number): IgnitionFile {
  const driver = driverAt(request, index);
  return makeIgnitionFile({
    path: configPath(request, driver),
    mode: 0o644,
    contents: hostConfig(request, driver, request.drivers.slice(0, index)),
  });
}

function unitsOf(request: Day1Request, index: number): readonly SystemdUnit[] {
  const driver = driverAt(request, index);
  const { hasProxy, loadTimeoutSeconds, pullTimeoutSeconds } = request;
  const prefix = hostPrefix(request, driver);
  const earlier = request.drivers.slice(0, index).map((one) => `${hostPrefix(request, one)}-load.service`);
  // Its own pull, and twice that of others: for the reboot they share, and for modules that it needs of theirs.
  const pullSeconds = 3 * pullTimeoutSeconds + loadTimeoutSeconds + MARGIN_SECONDS;
  return [
    service(`${prefix}-load`, LOAD_SERVICE, {
      Unit: [
        description(`Kernel modules of ${driver.name}, before the network`),
        ...earlier.map((name): Directive => ['After', unitText(name)]),
      ],
      Service: [
        ['ExecStart', command(request, driver, 'load')],
        ['ExecStop', command(request, driver, 'unload')],
        seconds('TimeoutStartSec', loadTimeoutSeconds),
      ],
    }),
    service(`${prefix}-pull`, PULL_SERVICE, {
      Unit: [
        description(`Image with kernel modules of ${driver.name}`),
        ['After', unitText(`${prefix}-load.service`)],
      ],
      Service: [
        ...(hasProxy ? [['EnvironmentFile', unitText('-/etc/mco/proxy.env')] as const] : []),
        ['ExecStart', command(request, driver, 'pull')],
        seconds('TimeoutStartSec', pullSeconds),
      ],
    }),
    // Started by the script after a pull that failed.
    {
      name: parseUnitName(`${prefix}-pull.timer`),
      enabled: false,
      contents: fillUnit(PULL_TIMER, {
        Unit: [description(`Another try to pull the image with kernel modules of ${driver.name}`)],
      }),
    },
  ];
}

function uninstallService(request: Day1Request, driver: Day1Driver): SystemdUnit {
  return service(`${hostPrefix(request, driver)}-uninstall`, UNINSTALL_SERVICE, {
    Unit: [description(`Removal of the kernel modules of ${driver.name}`)],
    Service: [
      ['ExecStart', command(request, driver, 'uninstall')],
      seconds('TimeoutStartSec', request.loadTimeoutSeconds),
    ],
  });
}

function service(name: string, template: string, added: Directives): SystemdUnit {
  return { name: parseUnitName(`${name}.service`), enabled: true, contents: fillUnit(template, added) };
}

function command(
  request: Day1Request,
  driver: Day1Driver,
  verb: 'load' | 'unload' | 'pull' | 'uninstall',
): Directive[1] {
  return unitCommand('/usr/bin/bash', scriptPath(request), verb, configPath(request, driver));
}

function description(text: string): Directive {
  return ['Description', unitText(text)];
}

function seconds(key: 'TimeoutStartSec', value: number): Directive {
  return [key, unitText(String(value))];
}

function scriptPath({ name }: Day1Request): IgnitionFile['path'] {
  return parseNodePath(`/usr/local/bin/${name}-day1.sh`);
}

function configPath(request: Day1Request, driver: Day1Driver): IgnitionFile['path'] {
  return parseNodePath(`/etc/kmodlayer/${hostPrefix(request, driver)}.conf`);
}

function driverAt({ drivers }: Day1Request, index: number): Day1Driver {
  const driver = drivers[index];
  if (driver === undefined) throw new RangeError(`There is no driver ${index}`);
  return driver;
}
