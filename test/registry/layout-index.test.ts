import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import {
  EMPTY_INDEX,
  findEntry,
  formatLayoutIndex,
  parseLayoutIndex,
  withManifest,
} from '../../src/registry/layout-index.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);

function manifest(name: string): Descriptor {
  return { mediaType: MEDIA_TYPES.oci.manifest, digest: digestOf(Buffer.from(name)), sizeBytes: name.length };
}

describe('the index of a layout', () => {
  it('gives each tag to the manifest that was listed under it last', () => {
    const listing = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      tag: fc.option(fc.constantFrom('one', 'two'), { nil: undefined }),
    });

    fc.assert(
      fc.property(fc.array(listing, { maxLength: 12 }), (listings) => {
        const last = new Map<string, string>();
        let index = EMPTY_INDEX;
        for (const { name, tag } of listings) {
          index = withManifest(index, manifest(name), tag);
          if (tag !== undefined) last.set(tag, name);
        }

        const read = parseLayoutIndex(formatLayoutIndex(index), 'test');

        for (const [tag, name] of last)
          expect(findEntry(read, tag)?.descriptor.digest).toBe(manifest(name).digest);
        expect(read.entries.filter(({ tag }) => tag !== undefined)).toHaveLength(last.size);
        const untagged = read.entries.filter(({ tag }) => tag === undefined);
        expect(new Set(untagged.map(({ descriptor }) => descriptor.digest)).size).toBe(untagged.length);
      }),
      { numRuns: RUNS },
    );
  });

  it('keeps keys that it does not know', () => {
    const entry = { ...manifest('a'), size: 1, artifactType: 'x', urls: ['u'] };
    const text = JSON.stringify({ schemaVersion: 2, manifests: [entry], annotations: { a: 'b' } });

    const written = formatLayoutIndex(
      withManifest(parseLayoutIndex(Buffer.from(text), 'test'), manifest('b'), 'v1'),
    );

    const json = JSON.parse(written.toString()) as { manifests: unknown[]; annotations: unknown };
    expect(json.manifests[0]).toEqual(JSON.parse(JSON.stringify(entry)));
    expect(json.annotations).toEqual({ a: 'b' });
  });

  it('never throws anything but a KmodError on foreign bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json().map((json) => Buffer.from(json)),
      fc.json().map((json) => Buffer.from(`{"manifests":[${json}]}`)),
    );

    fc.assert(
      fc.property(bytes, (input) => {
        let error: unknown;
        try {
          parseLayoutIndex(input, 'fuzz');
        } catch (reason) {
          error = reason;
        }
        expect(error === undefined || error instanceof KmodError).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});
