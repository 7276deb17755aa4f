import type { Pieces } from './names.ts';

/** Order of nodes in an index file: `post-order` up to kmod 33, `pre-order` from kmod 34 on. Readers take both. */
export type IndexLayout = 'post-order' | 'pre-order';

export const INDEX_MAGIC = 0xb007f457;
export const INDEX_VERSION = 0x00020001;
export const HEADER_BYTES = 12;
/** Flags in the high bits of a node's offset: which parts the node has. */
export const NODE_PREFIX = 0x80000000;
export const NODE_VALUES = 0x40000000;
export const NODE_CHILDREN = 0x20000000;
export const OFFSET_MASK = 0x0fffffff;

/**
 * The radix trie that an index file holds, kept in typed arrays. Keys are pieces of one buffer that must stay as it
 * is; values are numbers, told apart by priority, that become text when the trie is written. Numbers in hand are read
 * without checks (`as number`): this runs over every byte of a kernel's aliases.
 *
 * @see kmod, `tools/depmod.c`, `index_insert()` and `index_write()`; `libkmod/libkmod-index.c` for the format
 */
export class IndexTrie {
  readonly #keys: Uint8Array;
  /** Per node; node 0 is the root, and 0 means "none" for children and siblings. Siblings ascend by label. */
  readonly #label: Uint8Array;
  readonly #prefixStart: Int32Array;
  readonly #prefixEnd: Int32Array;
  readonly #firstChild: Int32Array;
  readonly #nextSibling: Int32Array;
  readonly #firstValue: Int32Array;
  readonly #lastValue: Int32Array;
  #nodeCount = 1;
  /** Per value, from 1 on; 0 means "none". */
  readonly #priority: Int32Array;
  readonly #value: Int32Array;
  readonly #nextValue: Int32Array;
  #valueCount = 1;

  /** @param maxKeys Most calls of `insert` that will follow. */
  constructor(keys: Uint8Array, maxKeys: number) {
    const nodes = 2 * maxKeys + 1;
    this.#keys = keys;
    this.#label = new Uint8Array(nodes);
    this.#prefixStart = new Int32Array(nodes);
    this.#prefixEnd = new Int32Array(nodes);
    this.#firstChild = new Int32Array(nodes);
    this.#nextSibling = new Int32Array(nodes);
    this.#firstValue = new Int32Array(nodes);
    this.#lastValue = new Int32Array(nodes);
    this.#priority = new Int32Array(maxKeys + 1);
    this.#value = new Int32Array(maxKeys + 1);
    this.#nextValue = new Int32Array(maxKeys + 1);
  }

  /** Adds one value under the key that stands at `start`. Keys are 7-bit text without NUL: the caller has checked. */
  insert(start: number, end: number, priority: number, value: number): void {
    const keys = this.#keys;
    const labels = this.#label;
    const siblings = this.#nextSibling;
    let node = 0;
    let at = start;
    for (;;) {
      let prefix = this.#prefixStart[node] as number;
      const prefixEnd = this.#prefixEnd[node] as number;
      while (prefix < prefixEnd && at < end && keys[prefix] === keys[at]) {
        prefix++;
        at++;
      }
      if (prefix < prefixEnd) this.#split(node, prefix);
      if (at === end) {
        this.#addValue(node, priority, value);
        return;
      }
      const label = keys[at++] as number;
      let before = 0;
      let child = this.#firstChild[node] as number;
      while (child !== 0 && (labels[child] as number) < label) {
        before = child;
        child = siblings[child] as number;
      }
      if (child === 0 || labels[child] !== label) {
        const added = this.#nodeCount++;
        labels[added] = label;
        this.#prefixStart[added] = at;
        this.#prefixEnd[added] = end;
        siblings[added] = child;
        if (before === 0) this.#firstChild[node] = added;
        else siblings[before] = added;
        this.#addValue(added, priority, value);
        return;
      }
      node = child;
    }
  }

  /** The index file. `text` gives the words of each value. */
  toBytes(layout: IndexLayout, text: Pieces): Buffer {
    const order = layout === 'post-order' ? this.#postOrder() : this.#preOrder();
    // Fields in locals: the loops run once, over all nodes, mostly before they are compiled.
    const [keys, labels] = [this.#keys, this.#label];
    const [prefixStart, prefixEnd] = [this.#prefixStart, this.#prefixEnd];
    const [firstChild, nextSibling] = [this.#firstChild, this.#nextSibling];
    const [firstValue, nextValue] = [this.#firstValue, this.#nextValue];
    const [priorities, values] = [this.#priority, this.#value];
    const { bytes: textBytes, start: textStart, end: textEnd } = text;

    const offsets = new Uint32Array(this.#nodeCount);
    const lastLabel = new Uint8Array(this.#nodeCount);
    let sizeBytes = HEADER_BYTES;
    for (let position = 0; position < order.length; position++) {
      const node = order[position] as number;
      let offset = sizeBytes;
      const prefixLength = (prefixEnd[node] as number) - (prefixStart[node] as number);
      if (prefixLength > 0) {
        offset |= NODE_PREFIX;
        sizeBytes += prefixLength + 1;
      }
      const first = firstChild[node] as number;
      if (first !== 0) {
        let last = first;
        for (let next = first; next !== 0; next = nextSibling[next] as number) last = next;
        lastLabel[node] = labels[last] as number;
        offset |= NODE_CHILDREN;
        sizeBytes += 2 + 4 * ((labels[last] as number) - (labels[first] as number) + 1);
      }
      let value = firstValue[node] as number;
      if (value !== 0) {
        offset |= NODE_VALUES;
        sizeBytes += 4;
      }
      for (; value !== 0; value = nextValue[value] as number) {
        const piece = values[value] as number;
        sizeBytes += 5 + (textEnd[piece] as number) - (textStart[piece] as number);
      }
      offsets[node] = offset;
    }

    const bytes = Buffer.alloc(sizeBytes);
    bytes.writeUInt32BE(INDEX_MAGIC, 0);
    bytes.writeUInt32BE(INDEX_VERSION, 4);
    writeWord(bytes, 8, offsets[0] as number);
    let at = HEADER_BYTES;
    for (let position = 0; position < order.length; position++) {
      const node = order[position] as number;
      let prefix = prefixStart[node] as number;
      const end = prefixEnd[node] as number;
      if (prefix < end) {
        while (prefix < end) bytes[at++] = keys[prefix++] as number;
        at++;
      }
      const first = firstChild[node] as number;
      if (first !== 0) {
        const firstLabel = labels[first] as number;
        bytes[at] = firstLabel;
        bytes[at + 1] = lastLabel[node] as number;
        const slots = at + 2 - 4 * firstLabel;
        for (let child = first; child !== 0; child = nextSibling[child] as number) {
          writeWord(bytes, slots + 4 * (labels[child] as number), offsets[child] as number);
        }
        at += 2 + 4 * ((lastLabel[node] as number) - firstLabel + 1);
      }
      let value = firstValue[node] as number;
      if (value === 0) continue;
      const countAt = at;
      at += 4;
      let count = 0;
      for (; value !== 0; value = nextValue[value] as number) {
        count++;
        writeWord(bytes, at, priorities[value] as number);
        at += 4;
        const piece = values[value] as number;
        const pieceEnd = textEnd[piece] as number;
        for (let from = textStart[piece] as number; from < pieceEnd; from++) {
          bytes[at++] = textBytes[from] as number;
        }
        at++;
      }
      writeWord(bytes, countAt, count);
    }
    return bytes;
  }

  /** The node keeps its place and the start of its prefix; all else moves to a new child. */
  #split(node: number, at: number): void {
    const lower = this.#nodeCount++;
    this.#label[lower] = this.#keys[at] as number;
    this.#prefixStart[lower] = at + 1;
    this.#prefixEnd[lower] = this.#prefixEnd[node] as number;
    this.#firstChild[lower] = this.#firstChild[node] as number;
    this.#firstValue[lower] = this.#firstValue[node] as number;
    this.#lastValue[lower] = this.#lastValue[node] as number;
    this.#prefixEnd[node] = at;
    this.#firstChild[node] = lower;
    this.#firstValue[node] = 0;
    this.#lastValue[node] = 0;
  }

  /** Values ascend by priority; among equals the newest stands first, as in depmod. */
  #addValue(node: number, priority: number, value: number): void {
    const added = this.#valueCount++;
    this.#priority[added] = priority;
    this.#value[added] = value;
    const last = this.#lastValue[node] as number;
    if (last === 0) {
      this.#firstValue[node] = added;
      this.#lastValue[node] = added;
      return;
    }
    const isLast =
      (this.#priority[last] as number) < priority ||
      (this.#priority[last] === priority && this.#value[last] === value);
    if (isLast) {
      this.#nextValue[last] = added;
      this.#lastValue[node] = added;
      return;
    }
    let before = 0;
    let next = this.#firstValue[node] as number;
    while ((this.#priority[next] as number) < priority) {
      before = next;
      next = this.#nextValue[next] as number;
    }
    this.#nextValue[added] = next;
    if (before === 0) this.#firstValue[node] = added;
    else this.#nextValue[before] = added;
  }

  #preOrder(): Int32Array {
    const [firstChild, nextSibling] = [this.#firstChild, this.#nextSibling];
    const order = new Int32Array(this.#nodeCount);
    const parents = new Int32Array(this.#nodeCount);
    let depth = 0;
    let count = 0;
    let node = 0;
    for (;;) {
      order[count++] = node;
      const child = firstChild[node] as number;
      if (child !== 0) {
        parents[depth++] = node;
        node = child;
        continue;
      }
      while (nextSibling[node] === 0) {
        if (depth === 0) return order;
        node = parents[--depth] as number;
      }
      node = nextSibling[node] as number;
    }
  }

  #postOrder(): Int32Array {
    const [firstChild, nextSibling] = [this.#firstChild, this.#nextSibling];
    const order = new Int32Array(this.#nodeCount);
    const parents = new Int32Array(this.#nodeCount);
    let depth = 0;
    let count = 0;
    let node = 0;
    for (;;) {
      while (firstChild[node] !== 0) {
        parents[depth++] = node;
        node = firstChild[node] as number;
      }
      order[count++] = node;
      while (nextSibling[node] === 0) {
        if (depth === 0) return order;
        node = parents[--depth] as number;
        order[count++] = node;
      }
      node = nextSibling[node] as number;
    }
  }
}

function writeWord(bytes: Buffer, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}
