import { ResolveError } from '../errors.ts';
import { minorOf } from '../spec/openshift-version.ts';
import { annotatedMachineOs, findMachineOs } from './machine-os.ts';
import type { Component, Payload } from './payload.ts';
import { isOkd } from './release-reference.ts';

/** Label and annotation that names the stream of an OS image or a driver-toolkit. */
export const STREAM_CLASS = 'io.openshift.os.streamclass';

/** The images of one stream of a release. */
export interface StreamImages {
  readonly osImage: Component;
  readonly extensions: Component | undefined;
  readonly driverToolkit: Component;
}

/** An OS image of a payload with its stream, as far as the payload tells. */
export interface StreamCandidate {
  readonly osImage: Component;
  readonly stream: string;
  /** False when the stream was told from names: the label of the image may say otherwise. */
  readonly isAnnotated: boolean;
}

/** The pattern by which the machine config operator finds OS images and their extensions. */
const DISCOVERY = /^(?:rhel|stream)[a-zA-Z0-9.-]*-coreos[a-zA-Z0-9.-]*(?:-extensions[a-zA-Z0-9.-]*)?$/;
const LEGACY = new Set(['stream-coreos', 'centos-stream-coreos-9', 'fedora-coreos']);
const SOURCE = /github\.com\/openshift\/os(?:\.git|\/|$)/;

/** OS images of a payload, the ones whose stream is certain first. */
export function streamCandidates({ components }: Payload): readonly StreamCandidate[] {
  return osImagesOf(components)
    .map((osImage): StreamCandidate => {
      const annotated = osImage.annotations.get(STREAM_CLASS);
      return annotated === undefined || annotated === ''
        ? { osImage, stream: streamByName(osImage), isAnnotated: false }
        : { osImage, stream: annotated, isAnnotated: true };
    })
    .sort((a, b) => Number(b.isAnnotated) - Number(a.isAnnotated));
}

/**
 * The stream that a release installs when nobody asks for another one.
 *
 * @throws {ResolveError} `STREAM_UNKNOWN` when several are there and none is the usual one.
 */
export function defaultStream(payload: Payload): string {
  const streams = streamCandidates(payload).map(({ stream }) => stream);
  const [only] = streams;
  if (only !== undefined && new Set(streams).size === 1) return only;
  const usual = isOkd(payload.version)
    ? 'centos-10'
    : minorOf(payload.version)[0] >= 5
      ? 'rhel-10'
      : 'rhel-9';
  if (streams.includes(usual)) return usual;
  throw streamUnknown(payload, `it has none called ${usual}`);
}

/** @throws {ResolveError} `STREAM_UNKNOWN` always: the caller found none of this name. */
export function streamUnknown(payload: Payload, why: string): ResolveError {
  const streams = [...new Set(streamCandidates(payload).map(({ stream }) => stream))];
  return new ResolveError('STREAM_UNKNOWN', `Cannot choose a stream of release ${payload.version}: ${why}`, {
    hint:
      streams.length > 0
        ? `Streams of this release: ${streams.join(', ')}.`
        : 'Its payload names no OS image that can be layered.',
  });
}

/**
 * The images that go with an OS image. The suffix after `coreos` is the same as the one after `driver-toolkit`, unless
 * annotations say which belong together; never a prefix, since `rhel-coreos` begins `rhel-coreos-extensions` too.
 *
 * @throws {ResolveError} `IMAGE_MISSING` when the release has no driver-toolkit for the stream.
 */
export function imagesOfStream(
  { version, components }: Payload,
  { osImage, stream }: Pick<StreamCandidate, 'osImage' | 'stream'>,
): StreamImages {
  const all = [...components.values()];
  const annotatedAs = (component: Component): boolean => component.annotations.get(STREAM_CLASS) === stream;
  const toolkits = all.filter(({ name }) => /^driver-toolkit(?:-[a-z0-9.-]+)?$/.test(name));
  const isOnlyStream = osImagesOf(components).length === 1;
  const driverToolkit =
    toolkits.find(annotatedAs) ??
    components.get(`driver-toolkit${suffixOf(osImage.name)}`) ??
    (isOnlyStream ? components.get('driver-toolkit') : undefined);
  if (driverToolkit === undefined) {
    const there = toolkits.map(({ name }) => name).join(', ');
    throw new ResolveError(
      'IMAGE_MISSING',
      `Cannot find the driver-toolkit of stream ${stream} in release ${version}`,
      {
        hint: there === '' ? 'This release has no driver-toolkit at all.' : `The release has only ${there}.`,
      },
    );
  }
  return {
    osImage,
    extensions:
      all.find((component) => isExtensions(component) && annotatedAs(component)) ??
      components.get(`${osImage.name}-extensions`),
    driverToolkit,
  };
}

function osImagesOf(components: ReadonlyMap<string, Component>): readonly Component[] {
  return [...components.values()].filter(
    (component) =>
      component.name !== 'machine-os-content' &&
      !isExtensions(component) &&
      (DISCOVERY.test(component.name) ||
        LEGACY.has(component.name) ||
        SOURCE.test(component.annotations.get('io.openshift.build.source-location') ?? '')),
  );
}

function isExtensions({ name }: Component): boolean {
  return /-extensions(?:-|$)/.test(name);
}

/** `-10` of `rhel-coreos-10`, nothing of `rhel-coreos`. */
function suffixOf(name: string): string {
  return /coreos(?<suffix>-[0-9][0-9.]*)$/.exec(name)?.groups?.['suffix'] ?? '';
}

/** Before streams were annotated there was one for each release; its name tells the family, its version the major. */
function streamByName(osImage: Component): string {
  if (osImage.name.startsWith('fedora')) return 'fedora';
  const family = /^(?:centos-)?stream/.test(osImage.name) ? 'centos' : 'rhel';
  const suffix = suffixOf(osImage.name);
  const rhelVersion = findMachineOs(annotatedMachineOs(osImage) ?? '')?.rhelVersion;
  return `${family}${suffix || `-${rhelVersion?.split('.')[0] ?? '9'}`}`;
}
