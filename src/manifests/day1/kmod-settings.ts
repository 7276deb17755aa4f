import { SpecError, type SpecProblem } from '../../errors.ts';
import { formatReference } from '../../oci/reference.ts';
import { type IgnitionFile, makeIgnitionFile, parseNodePath } from '../ignition-file.ts';
import type { Day1Driver, Day1Request } from './options.ts';
import { KMODS_SH } from './shared.generated.ts';

/** The functions that read `kmodSettings`. Every MachineConfig that has it has the same, so that they do not fight. */
export const KMODS_LIBRARY: IgnitionFile = makeIgnitionFile({
  path: parseNodePath('/usr/local/lib/kmodlayer/kmods.sh'),
  mode: 0o644,
  contents: KMODS_SH,
});

/** The settings of a driver as `machineconfigs/shared/kmods.sh` takes them: assignments that a shell reads. */
export function kmodSettings(request: Day1Request, driver: Day1Driver): string {
  const { image, modules, softdeps } = driver;
  const lines = [
    '# Settings of a driver. Made by kmodlayer.',
    assignment('KMOD_NAMES', modules.map(({ name }) => name).join(' ')),
    assignment('KMOD_IMAGE', imageText(driver)),
    list(
      'KMOD_IMAGES',
      image.type === 'by-kernel'
        ? [...image.references].map(([kernel, reference]) => `${kernel} ${formatReference(reference)}`)
        : [],
    ),
    list(
      'KMOD_PARAMETERS',
      modules.flatMap(({ name, parameters }) =>
        // insmod gives the kernel its arguments as they are, with spaces between them.
        Object.entries(parameters).map(([key, value]) =>
          value.includes(' ') ? `${name} ${key}="${value}"` : `${name} ${key}=${value}`,
        ),
      ),
    ),
    list('KMOD_REPLACES', [...new Set(modules.flatMap(({ replaces }) => replaces))]),
    list(
      'KMOD_SOFTDEPS',
      softdeps.flatMap(({ module, pre, post }) => [
        ...pre.map((other) => `pre ${module} ${other}`),
        ...post.map((other) => `post ${module} ${other}`),
      ]),
    ),
    assignment('KMOD_DIRECTORY', driver.directory),
    assignment('KMOD_FIRMWARE', driver.firmware ?? ''),
    assignment('KMOD_FIRMWARE_TARGET', request.firmwareDirectory),
    assignment('KMOD_AUTH_FILE', request.authFile),
    assignment('KMOD_PULL_SECONDS', String(request.pullTimeoutSeconds)),
    assignment('KMOD_LOAD_SECONDS', String(request.loadTimeoutSeconds)),
    ...(request.hasProxy
      ? []
      : ['unset HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy # the unit may have them']),
  ];
  return `${lines.join('\n')}\n`;
}

/** The image that is not chosen by a table; empty when it is. */
export function imageText({ image }: Day1Driver): string {
  if (image.type === 'by-kernel') return '';
  return formatReference(image.type === 'one' ? image.reference : image.repository);
}

/**
 * Refuses what loaders that load after the pull, on every boot, have no use for.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function requireLive(request: Day1Request, problems: readonly SpecProblem[] = []): void {
  const { activation, loader, workerImage } = request;
  const all = [...problems];
  if (activation !== 'live') {
    all.push({
      path: 'activation',
      message: `The loader "${loader}" loads modules on every boot, as soon as it has pulled them`,
      hint: 'Use "live", or the loader "host".',
    });
  }
  if (workerImage !== undefined) {
    all.push({
      path: 'workerImage',
      message: `The loader "${loader}" has no worker`,
      hint: 'Leave it out; it goes with the loader "kmm".',
    });
  }
  if (all.length > 0) {
    throw new SpecError('VALUE_INVALID', 'Cannot make this MachineConfig', { problems: all });
  }
}

function assignment(name: string, value: string): string {
  return `${name}=${shellWord(value)}`;
}

function list(name: string, values: readonly string[]): string {
  return `${name}=(${values.map(shellWord).join(' ')})`;
}

/** Nothing but the quote itself means anything in single quotes. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
