import type { SpecProblem } from '../../errors.ts';
import { makeIgnitionFile, parseNodePath } from '../ignition-file.ts';
import type { NodeParts } from '../machine-config.ts';
import { fillUnit, parseUnitName, type SystemdUnit, unitCommand, unitText } from '../systemd-unit.ts';
import { imageText, KMODS_LIBRARY, kmodSettings, requireLive } from './kmod-settings.ts';
import type { Day1Driver, Day1Request } from './options.ts';
import { DRIVER_SERVICE, LOAD_DRIVER_SH } from './sro.generated.ts';

/** Names that a node has a program or a service for: a file in `/usr/local/bin` would come before it. */
const TAKEN = new Set([
  ...['auditd', 'bash', 'chronyd', 'conmon', 'crictl', 'crio', 'crun', 'dbus', 'getty', 'ip', 'kubelet'],
  ...[
    'modprobe',
    'mount',
    'nmcli',
    'oc',
    'ostree',
    'podman',
    'rpm',
    'rpm-ostree',
    'runc',
    'sh',
    'skopeo',
    'ssh',
  ],
  ...['sshd', 'sssd', 'sudo', 'systemctl', 'tuned', 'toolbox'],
]);

/**
 * What recipes of the Special Resource Operator put on nodes: for each driver a script of its name, which takes
 * `load IMAGE` and `unload IMAGE`, and a service of its name that starts before the kubelet. Images that bring their own
 * `load.sh` and `unload.sh` run those.
 *
 * @throws {SpecError} `VALUE_INVALID` for a name that the node needs for something else.
 */
export function sroLoader(request: Day1Request): NodeParts {
  const problems = request.drivers
    .filter(({ name }) => TAKEN.has(name) || name.startsWith('systemd'))
    .map(({ name }): SpecProblem => ({
      path: 'drivers',
      message: `A service and a program of a node are called ${name} already`,
      hint: 'Call the driver otherwise.',
    }));
  requireLive(request, problems);
  return {
    files: [
      KMODS_LIBRARY,
      ...request.drivers.flatMap((driver) => [
        makeIgnitionFile({
          path: parseNodePath(`/usr/local/bin/${driver.name}`),
          mode: 0o755,
          contents: LOAD_DRIVER_SH,
        }),
        makeIgnitionFile({
          path: parseNodePath(`/etc/kmodlayer/${driver.name}.conf`),
          mode: 0o644,
          contents: kmodSettings(request, driver),
        }),
      ]),
    ],
    units: request.drivers.map((driver, index) =>
      serviceOf(request, driver, request.drivers.slice(0, index)),
    ),
    kernelArguments: [],
  };
}

function serviceOf(request: Day1Request, driver: Day1Driver, earlier: readonly Day1Driver[]): SystemdUnit {
  const image = imageText(driver);
  // Through bash: some nodes do not start programs of /usr/local/bin directly.
  const command = (verb: string) =>
    unitCommand('/usr/bin/bash', `/usr/local/bin/${driver.name}`, verb, image === '' ? '-' : image);
  const seconds = request.pullTimeoutSeconds + request.loadTimeoutSeconds + 60;
  return {
    name: parseUnitName(`${driver.name}.service`),
    enabled: true,
    contents: fillUnit(DRIVER_SERVICE, {
      Unit: [
        ['Description', unitText(`Out-of-tree driver ${driver.name}`)],
        ...earlier.map(({ name }) => ['After', unitText(`${name}.service`)] as const),
      ],
      Service: [
        ...(request.hasProxy ? [['EnvironmentFile', unitText('-/etc/mco/proxy.env')] as const] : []),
        ['ExecStart', command('load')],
        ['ExecStop', command('unload')],
        ['TimeoutStartSec', unitText(String(seconds))],
      ],
    }),
  };
}
