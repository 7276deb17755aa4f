import type { SpecProblem } from '../../errors.ts';
import { type IgnitionFile, makeIgnitionFile, parseNodePath } from '../ignition-file.ts';
import type { NodeParts } from '../machine-config.ts';
import { fillUnit, parseUnitName, type SystemdUnit, unitText } from '../systemd-unit.ts';
import { KMODS_LIBRARY, kmodSettings, requireLive } from './kmod-settings.ts';
import {
  KMOD_LIB_SH,
  KMODS_VIA_CONTAINERS_CONF,
  KMODS_VIA_CONTAINERS_SERVICE,
  KMODS_VIA_CONTAINERS_SH,
  REQUIRE_KVC_SERVICE,
} from './kvc.generated.ts';
import type { Day1Driver, Day1Request } from './options.ts';

/** The template's own limit of 25 minutes for a start, with a minute to spare. */
const MOST_SECONDS = 1440;

/**
 * What kmods-via-containers puts on nodes: its program, its template `kmods-via-containers@.service`, and for each driver
 * settings, a library of hooks and a companion that starts its instance. The hook `build_kmods` pulls the kmod image:
 * nothing is compiled on nodes. The program is in `/usr/local/bin`: `/usr/bin` of a node is read-only.
 *
 * @throws {SpecError} `VALUE_INVALID` for times that are longer than the template gives.
 */
export function kvcLoader(request: Day1Request): NodeParts {
  const { drivers, pullTimeoutSeconds, loadTimeoutSeconds } = request;
  const tooLong = Object.entries({ pullTimeoutSeconds, loadTimeoutSeconds }).filter(
    ([, seconds]) => seconds > MOST_SECONDS,
  );
  requireLive(
    request,
    tooLong.map(([path]): SpecProblem => ({
      path,
      message: `The loader "kvc" has ${MOST_SECONDS} seconds at most`,
      hint: 'Give less, or use another loader.',
    })),
  );
  return {
    files: [
      file('/usr/local/bin/kmods-via-containers', 0o755, KMODS_VIA_CONTAINERS_SH),
      file('/etc/kvc/kmods-via-containers.conf', 0o644, KMODS_VIA_CONTAINERS_CONF),
      KMODS_LIBRARY,
      ...drivers.flatMap((driver) => [
        file(`/usr/local/lib/kvc/${driver.name}-lib.sh`, 0o644, KMOD_LIB_SH),
        file(`/etc/kvc/${driver.name}.conf`, 0o644, kmodSettings(request, driver)),
      ]),
    ],
    units: [
      { name: parseUnitName('kmods-via-containers@.service'), contents: KMODS_VIA_CONTAINERS_SERVICE },
      ...drivers.map((driver, index) => companionOf(driver, drivers[index + 1])),
    ],
    kernelArguments: [],
  };
}

/** Instances of a template could not be enabled by Ignition once; what users of KVC have is this. */
function companionOf(driver: Day1Driver, next: Day1Driver | undefined): SystemdUnit {
  const instance = instanceOf(driver);
  return {
    name: parseUnitName(`require-kvc-${driver.name}.service`),
    enabled: true,
    contents: fillUnit(REQUIRE_KVC_SERVICE, {
      Unit: [
        ['Description', unitText(`Kernel modules of ${driver.name} by kmods-via-containers`)],
        ['Requires', unitText(instance)],
        ['After', unitText(instance)],
        // It stands between two instances: the later one waits for it, and it for the earlier one.
        ...(next === undefined ? [] : [['Before', unitText(instanceOf(next))] as const]),
      ],
    }),
  };
}

function instanceOf({ name }: Day1Driver): string {
  return `kmods-via-containers@${name}.service`;
}

function file(path: string, mode: number, contents: string): IgnitionFile {
  return makeIgnitionFile({ path: parseNodePath(path), mode, contents });
}
