import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readIndex } from '../../../src/kmod/depmod/index-reader.ts';
import { type IndexLayout, IndexTrie } from '../../../src/kmod/depmod/index-trie.ts';
import { toPieces } from '../../../src/kmod/depmod/names.ts';
import { ModuleError } from '../../../src/errors.ts';
import { fuzzRuns, mutated } from '../fuzz.ts';

const LAYOUTS: readonly IndexLayout[] = ['post-order', 'pre-order'];

interface Entry {
  readonly key: string;
  readonly value: string;
}

/** Index of these entries; the priority of each is its place. */
function write(entries: readonly Entry[], layout: IndexLayout): Buffer {
  const keys = toPieces(entries.map(({ key }) => key));
  const trie = new IndexTrie(keys.bytes, entries.length);
  entries.forEach((_entry, at) => {
    trie.insert(keys.start[at]!, keys.end[at]!, at, at);
  });
  return trie.toBytes(layout, toPieces(entries.map(({ value }) => value)));
}

const text = fc.stringMatching(/^[a-c_*:]{0,6}$/);
const entries = fc.array(fc.record({ key: text, value: text }), { maxLength: 40 });

describe('IndexTrie', () => {
  it('lays nodes out as the format says', () => {
    const list = [
      { key: 'ab', value: 'k/ab.ko:' },
      { key: 'ac', value: 'k/ac.ko: k/ab.ko' },
    ];

    const bytes = write(list, 'post-order');

    const hex = (text: string): string => Buffer.from(text).toString('hex');
    const expected = [
      ...['b007f457', '00020001', '20000040'],
      ...['00000001', '00000000', hex('k/ab.ko:\0')],
      ...['00000001', '00000001', hex('k/ac.ko: k/ab.ko\0')],
      ...[hex('bc'), '4000000c', '4000001d'],
      ...[hex('aa'), '20000036'],
    ];
    expect(bytes.toString('hex')).toBe(expected.join(''));
  });

  it.each(LAYOUTS)('gives back in %s what was put in, in the order of keys', (layout) => {
    fc.assert(
      fc.property(entries, (list) => {
        const expected = list
          .map(({ key, value }, priority) => ({ key, value, priority }))
          .sort((left, right) =>
            left.key < right.key ? -1 : left.key > right.key ? 1 : left.priority - right.priority,
          );

        const actual = readIndex(write(list, layout));

        expect(actual).toEqual(expected);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  it('writes files of one size in both layouts, with the root first or last', () => {
    const list = [
      { key: 'pci:v1', value: 'a' },
      { key: 'pci:v2', value: 'b' },
      { key: 'usb:v1', value: 'c' },
    ];

    const [post, pre] = LAYOUTS.map((layout) => write(list, layout));

    expect(post?.length).toBe(pre?.length);
    expect(pre?.readUInt32BE(8)).toBe(0x2000000c);
    expect(post?.readUInt32BE(8)).toBeGreaterThan(0x2000000c);
  });

  it('puts the newest of values with one priority first, as depmod does for built-in modules', () => {
    const keys = toPieces(['x', 'x', 'x']);
    const trie = new IndexTrie(keys.bytes, 3);
    for (const at of [0, 1, 2]) trie.insert(keys.start[at]!, keys.end[at]!, 0, at);

    const values = readIndex(trie.toBytes('post-order', toPieces(['a', 'b', 'c']))).map(({ value }) => value);

    expect(values).toEqual(['c', 'b', 'a']);
  });
});

describe('readIndex()', () => {
  it('never throws anything but a ModuleError', () => {
    const original = write(
      Array.from({ length: 40 }, (_unused, at) => ({ key: `k${at * 37}`, value: `v${at}` })),
      'pre-order',
    );

    fc.assert(
      fc.property(mutated(original), (bytes) => {
        try {
          readIndex(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ModuleError);
        }
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });
});
