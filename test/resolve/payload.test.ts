import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { parseImageReferences, parsePayload, referenceOf } from '../../src/resolve/payload.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);
const FIXTURES = join(import.meta.dirname, '../../fixtures/releases');
const IMAGE_REFERENCES = readFileSync(join(FIXTURES, 'image-references-4.12.0-x86_64.json'));
const RELEASE_METADATA = readFileSync(join(FIXTURES, 'release-metadata-4.12.0-x86_64.json'));

describe('parsePayload()', () => {
  it('reads the payload of 4.12.0', () => {
    const payload = parsePayload(IMAGE_REFERENCES, RELEASE_METADATA);

    expect(payload.version).toBe('4.12.0');
    expect(payload.components.size).toBe(183);
    expect(referenceOf(payload.components.get('driver-toolkit')!)).toEqual({
      transport: 'docker',
      host: 'quay.io',
      repository: 'openshift-release-dev/ocp-v4.0-art-dev',
      digest: 'sha256:b53883ca2bac5925857148c4a1abc300ced96c222498e3bc134fe7ce3a1dd404',
    });
  });

  it('reads metadata without details, as OKD writes it', () => {
    const payload = parsePayload(IMAGE_REFERENCES, Buffer.from('{"version":"4.22.0-okd-scos.7"}'));

    expect(payload.version).toBe('4.22.0-okd-scos.7');
  });

  it.each(['', '[]', '{}', '{"version":4}', '{"version":"4.18"}'])('refuses metadata %s', (metadata) => {
    expect(() => parsePayload(IMAGE_REFERENCES, Buffer.from(metadata))).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }) as Error,
    );
  });
});

describe('parseImageReferences()', () => {
  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['another kind', '{"kind":"ConfigMap","spec":{"tags":[]}}'],
    ['no tags', '{"kind":"ImageStream","spec":{}}'],
    ['a tag without a name', '{"kind":"ImageStream","spec":{"tags":[{"from":{}}]}}'],
    ['one name twice', '{"kind":"ImageStream","spec":{"tags":[{"name":"a"},{"name":"a"}]}}'],
  ])('refuses %s', (_, text) => {
    expect(() => parseImageReferences(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }) as Error,
    );
  });

  it('refuses more images than any release has', () => {
    const tags = Array.from({ length: 5001 }, (_, at) => ({ name: `image-${at}` }));
    const text = JSON.stringify({ kind: 'ImageStream', spec: { tags } });

    expect(() => parseImageReferences(Buffer.from(text))).toThrow(/names 5001 images/);
  });

  it('refuses a file of many megabytes without reading it', () => {
    expect(() => parseImageReferences(Buffer.alloc(17 * 1024 ** 2, ' '))).toThrow(/has 17825792 bytes/);
  });

  it('throws nothing but its own errors, whatever the bytes are', () => {
    const mutated = fc.tuple(fc.nat(IMAGE_REFERENCES.length - 1), fc.integer({ min: 0, max: 255 }));
    const small = Buffer.from(
      '{"kind":"ImageStream","spec":{"tags":[{"name":"a","annotations":{"b":"c"},"from":{"kind":"DockerImage","name":"d"}}]}}',
    );
    fc.assert(
      fc.property(fc.array(mutated, { maxLength: 5 }), fc.json(), (changes, json) => {
        const bytes = Buffer.from(small);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        for (const input of [bytes, Buffer.from(json)]) {
          try {
            for (const component of parseImageReferences(input).values()) referenceOf(component);
          } catch (error) {
            expect(error).toBeInstanceOf(KmodError);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });
});

describe('referenceOf()', () => {
  const component = { name: 'rhel-coreos', annotations: new Map<string, string>() };

  it.each([
    ['DockerImage', 'quay.io/a/b:tag'],
    ['DockerImage', 'quay.io/a/b'],
    ['DockerImage', 'not a name'],
    ['DockerImage', `oci:dir@sha256:${'a'.repeat(64)}`],
    ['ImageStreamTag', `quay.io/a/b@sha256:${'a'.repeat(64)}`],
    ['', ''],
  ])('refuses %s %s: only a digest pins an image', (kind, pullspec) => {
    expect(() => referenceOf({ ...component, kind, pullspec })).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }) as Error,
    );
  });
});
