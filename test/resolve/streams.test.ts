import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Component, parseImageReferences, type Payload } from '../../src/resolve/payload.ts';
import { defaultStream, imagesOfStream, STREAM_CLASS, streamCandidates } from '../../src/resolve/streams.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/releases');
const MACHINE_OS = 'io.openshift.build.versions';

function payload(
  version: string,
  ...names: readonly (string | readonly [string, Record<string, string>])[]
): Payload {
  const components = names.map((entry): Component => {
    const [name, annotations] = typeof entry === 'string' ? [entry, {}] : entry;
    return { name, annotations: new Map(Object.entries(annotations)), kind: 'DockerImage', pullspec: name };
  });
  return {
    version: parseOpenShiftVersion(version),
    isMulti: false,
    components: new Map(components.map((component) => [component.name, component])),
  };
}

function pairOf(release: Payload, stream: string): readonly (string | undefined)[] {
  const candidate = streamCandidates(release).find((one) => one.stream === stream);
  if (candidate === undefined) return [];
  const images = imagesOfStream(release, candidate);
  return [images.osImage.name, images.extensions?.name, images.driverToolkit.name];
}

/** The sample has no driver-toolkits: they are added as such payloads name them. */
function dualStream(): Payload {
  const tags = JSON.parse(readFileSync(join(FIXTURES, 'dual-stream-tags-4.22.json'), 'utf8')) as unknown[];
  const from = { kind: 'DockerImage', name: `quay.io/a/b@sha256:${'a'.repeat(64)}` };
  const stream = {
    kind: 'ImageStream',
    spec: { tags: [{ name: 'driver-toolkit', from }, { name: 'driver-toolkit-10', from }, ...tags] },
  };
  return {
    version: parseOpenShiftVersion('4.22.0-0.ci-2025-12-04-004014'),
    isMulti: false,
    components: parseImageReferences(Buffer.from(JSON.stringify(stream))),
  };
}

describe('streams of a payload', () => {
  it('4.12.0 has one, and machine-os-content is not it', () => {
    const release: Payload = {
      version: parseOpenShiftVersion('4.12.0'),
      isMulti: false,
      components: parseImageReferences(readFileSync(join(FIXTURES, 'image-references-4.12.0-x86_64.json'))),
    };

    expect(streamCandidates(release).map(({ stream }) => stream)).toEqual(['rhel-8']);
    expect(defaultStream(release)).toBe('rhel-8');
    expect(pairOf(release, 'rhel-8')).toEqual([
      'rhel-coreos-8',
      'rhel-coreos-8-extensions',
      'driver-toolkit',
    ]);
  });

  it('a real payload with two streams pairs each with its own driver-toolkit', () => {
    const release = dualStream();

    expect(defaultStream(release)).toBe('rhel-9');
    expect(pairOf(release, 'rhel-9')).toEqual(['rhel-coreos', 'rhel-coreos-extensions', 'driver-toolkit']);
    expect(pairOf(release, 'rhel-10')).toEqual([
      'rhel-coreos-10',
      'rhel-coreos-10-extensions',
      'driver-toolkit-10',
    ]);
  });

  it('5.x installs rhel-10', () => {
    const release = payload('5.0.0', 'rhel-coreos', 'rhel-coreos-10', 'driver-toolkit', 'driver-toolkit-10');

    expect(defaultStream(release)).toBe('rhel-10');
  });

  it.each([
    ['4.16.3', 'rhel-coreos', {}, 'rhel-9'],
    ['4.13.0', 'rhel-coreos-9', {}, 'rhel-9'],
    ['4.16.0-okd-scos.1', 'stream-coreos', { [MACHINE_OS]: 'machine-os=416.9.202411211032-0' }, 'centos-9'],
    ['4.22.0-okd-scos.0', 'stream-coreos', { [MACHINE_OS]: 'machine-os=10.0.20260614-0' }, 'centos-10'],
    ['4.13.0-0.okd-scos-2023-02-13-084859', 'centos-stream-coreos-9', {}, 'centos-9'],
    ['4.13.0-0.okd-2023-02-18-033438', 'fedora-coreos', {}, 'fedora'],
    ['4.23.0', 'node', { 'io.openshift.build.source-location': 'https://github.com/openshift/os' }, 'rhel-9'],
    ['4.23.0', 'rhel-coreos', { [STREAM_CLASS]: 'rhel-11' }, 'rhel-11'],
  ])('%s with %s %j is %s', (version, name, annotations, stream) => {
    const release = payload(version, [name, annotations], `${name}-extensions`, 'driver-toolkit');

    expect(defaultStream(release)).toBe(stream);
    expect(pairOf(release, stream)).toEqual([name, `${name}-extensions`, 'driver-toolkit']);
  });

  it('annotations say which driver-toolkit and extensions belong to a stream', () => {
    const release = payload(
      '4.22.0',
      ['rhel-coreos', { [STREAM_CLASS]: 'rhel-10' }],
      ['rhel-coreos-nine', { [STREAM_CLASS]: 'rhel-9' }],
      ['rhel-coreos-extensions-ten', { [STREAM_CLASS]: 'rhel-10' }],
      ['driver-toolkit-ten', { [STREAM_CLASS]: 'rhel-10' }],
      ['driver-toolkit', { [STREAM_CLASS]: 'rhel-9' }],
    );

    expect(pairOf(release, 'rhel-10')).toEqual([
      'rhel-coreos',
      'rhel-coreos-extensions-ten',
      'driver-toolkit-ten',
    ]);
  });

  it('never lends the driver-toolkit of one stream to another', () => {
    const release = payload('4.22.0', 'rhel-coreos', 'rhel-coreos-10', 'driver-toolkit');

    expect(() => pairOf(release, 'rhel-10')).toThrow(
      expect.objectContaining({
        code: 'IMAGE_MISSING',
        hint: 'The release has only driver-toolkit.',
      }) as Error,
    );
  });

  it('says so when a release has no driver-toolkit at all', () => {
    const release = payload('4.18.4', 'rhel-coreos');

    expect(() => pairOf(release, 'rhel-9')).toThrow(
      expect.objectContaining({ code: 'IMAGE_MISSING' }) as Error,
    );
  });

  it('asks which stream is meant when none is the usual one', () => {
    const release = payload(
      '4.22.0',
      ['rhel-coreos', { [STREAM_CLASS]: 'rhel-10' }],
      ['rhel-coreos-11', { [STREAM_CLASS]: 'rhel-11' }],
    );

    expect(() => defaultStream(release)).toThrow(
      expect.objectContaining({
        code: 'STREAM_UNKNOWN',
        hint: 'Streams of this release: rhel-10, rhel-11.',
      }) as Error,
    );
  });

  it('says so when a payload has no OS image', () => {
    expect(() => defaultStream(payload('4.18.4', 'machine-os-content', 'driver-toolkit'))).toThrow(
      expect.objectContaining({
        code: 'STREAM_UNKNOWN',
        hint: 'Its payload names no OS image that can be layered.',
      }) as Error,
    );
  });
});
