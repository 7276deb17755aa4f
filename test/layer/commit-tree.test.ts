import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCommitPaths } from '../../src/layer/commit-tree.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';

const FIXTURE = join(import.meta.dirname, '../../fixtures/ostree');
const COMMIT = 'f9f4f5168ad8b6c3382e77477c6a1cf5c1248fd18d406df9c6641931631686c6';
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);

function objects(): Map<string, Buffer> {
  const directory = join(FIXTURE, 'objects');
  return new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
}

describe('readCommitPaths()', () => {
  it('lists what ostree lists, with the configuration where an image has it', () => {
    const paths = readCommitPaths(objects(), COMMIT);

    const listed = readFileSync(join(FIXTURE, 'ls.txt'), 'utf8').split('\n').filter(Boolean);
    const expected = listed
      .map((line) => [line.slice(3), line.startsWith('d') ? 'directory' : 'file'] as const)
      .filter(([path]) => path !== '')
      .map(([path, kind]) => [path.replace(/^usr\/etc(?=\/|$)/, 'etc'), kind]);
    expect([...(paths ?? [])].map(([path, { kind }]) => [path, kind]).sort()).toEqual(expected.sort());
    expect(paths?.get('usr/share/grün')).toEqual({ kind: 'file', sizeBytes: undefined });
  });

  it('knows nothing without the commit, without a directory, and of bytes that were changed', () => {
    const all = objects();

    expect(readCommitPaths(all, '0'.repeat(64))).toBeUndefined();
    for (const name of all.keys()) {
      const less = new Map(all);
      less.delete(name);
      const changed = new Map(all).set(name, Buffer.concat([all.get(name)!, Buffer.from([0])]));

      expect(readCommitPaths(less, COMMIT)).toBeUndefined();
      expect(readCommitPaths(changed, COMMIT)).toBeUndefined();
    }
  });

  it('ends for any objects whose checksums are right', () => {
    const originals = [...objects().values()];
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 400 }),
            fc
              .tuple(fc.constantFrom(...originals), fc.nat(), fc.nat({ max: 255 }))
              .map(([bytes, at, value]) => {
                const copy = Buffer.from(bytes);
                copy[at % copy.length] = value;
                return copy;
              }),
          ),
          { minLength: 1, maxLength: 4 },
        ),
        (bodies) => {
          const all = new Map<string, Uint8Array>(objects());
          for (const body of bodies) {
            const checksum = hexOf(digestOf(body));
            all.set(`${checksum}.dirtree`, body).set(`${checksum}.commit`, body);
          }

          for (const body of bodies) readCommitPaths(all, hexOf(digestOf(body)));
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('gives up on few objects that stand for endless paths', () => {
    const all = new Map<string, Uint8Array>();

    expect(readCommitPaths(all, nested(all, 3))?.size).toBe(14);
    expect(readCommitPaths(all, nested(all, 60))).toBeUndefined();
  });
});

/** A commit of directories in directories, each of which holds the next one twice. */
function nested(objects: Map<string, Uint8Array>, depth: number): string {
  const put = (bytes: Buffer, kind: string): Buffer => {
    const checksum = hexOf(digestOf(bytes));
    objects.set(`${checksum}.${kind}`, bytes);
    return Buffer.from(checksum, 'hex');
  };
  let child = put(Buffer.from([0]), 'dirtree');
  for (let at = 0; at < depth; at++) child = put(directoryOf(['a', 'b'], child), 'dirtree');
  // Empty dictionary, parent, related commits, subject and body; then the time, and the two checksums of the root.
  const body = Buffer.concat([
    Buffer.from([0, 0]),
    Buffer.alloc(6),
    Buffer.alloc(8),
    child,
    Buffer.alloc(32),
  ]);
  return put(Buffer.concat([body, Buffer.from([16 + 32, 2, 1, 0, 0, 0])]), 'commit').toString('hex');
}

/** A directory that holds others, all of them the same. */
function directoryOf(names: readonly string[], contents: Buffer): Buffer {
  const elements = names.map((name) => {
    const text = Buffer.from(`${name}\0`);
    const body = Buffer.concat([text, contents, Buffer.alloc(32)]);
    return Buffer.concat([body, Buffer.from([text.length + 32, text.length])]);
  });
  const ends = elements.map((_, at) => elements.slice(0, at + 1).reduce((sum, one) => sum + one.length, 0));
  return Buffer.concat([...elements, Buffer.from(ends), Buffer.from([0])]);
}
