import { formatReference } from '../../src/oci/reference.ts';
import type { UpdateFacts } from '../../src/resolve/graph.ts';
import type { ResolvedImage, Target } from '../../src/resolve/target.ts';
import { plain } from './error-text.ts';
import { formatFields } from './table.ts';

/** A target as programs see it: references as text, `null` for what is not there. */
export function targetData(target: Target): Readonly<Record<string, unknown>> {
  const { release, osImage, driverToolkit, extensions } = target;
  return {
    release: {
      ...release,
      reference: formatReference(release.reference),
      signedBy: release.signedBy ?? null,
    },
    arch: target.arch,
    stream: target.stream,
    rhelVersion: target.rhelVersion,
    osImage: {
      ...imageData(osImage),
      kernel: osImage.kernel,
      kernelSource: osImage.kernelSource,
      machineOs: osImage.machineOs,
    },
    driverToolkit: {
      ...imageData(driverToolkit),
      kernel: driverToolkit.kernel,
      rtKernel: driverToolkit.rtKernel ?? null,
      rhelVersion: driverToolkit.rhelVersion,
    },
    extensions: extensions === undefined ? null : imageData(extensions),
    kernels: target.kernels,
    update: target.update ?? null,
  };
}

/** A target as people see it: a heading, and what it was resolved to. */
export function targetText(target: Target): string {
  const { release, osImage, driverToolkit, extensions } = target;
  const heading = [release.version, target.arch, target.stream];
  if (target.rhelVersion !== '') heading.push(`RHEL ${target.rhelVersion}`);
  return `${heading.join('  ')}\n${formatFields(
    [
      ['payload', formatReference(release.reference)],
      ...(release.signedBy === undefined ? [] : [['signed by', release.signedBy.join(', ')] as const]),
      ['OS image', formatReference(osImage.reference)],
      ['driver-toolkit', formatReference(driverToolkit.reference)],
      ...(extensions === undefined ? [] : [['extensions', formatReference(extensions.reference)] as const]),
      ...target.kernels.map(
        ({ flavour, release: kernel, isInOsImage }) =>
          [`kernel ${flavour}`, `${kernel}${isInOsImage ? '' : ' (from the extensions)'}`] as const,
      ),
      ...(target.update === undefined ? [] : updateFields(target.update)),
    ],
    '  ',
  )}`;
}

/** Where the release is offered, and what may go wrong for clusters that update to it. */
function updateFields({ channel, risks }: UpdateFacts): readonly (readonly [string, string])[] {
  return [
    ['channel', channel],
    ...risks.map(({ name, message, url }) => {
      const said = message === '' ? name : `${name}: ${message}`;
      return ['risk of update', plain(url === '' ? said : `${said} (${url})`)] as const;
    }),
  ];
}

function imageData({ name, reference, digest }: ResolvedImage): Readonly<Record<string, string>> {
  return { name, reference: formatReference(reference), digest };
}
