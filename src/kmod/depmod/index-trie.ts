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
    const offsets = new Uint32Array(this.#nodeCount);
    let sizeBytes = HEADER_BYTES;
    for (const node of order) {
      offsets[node] = sizeBytes | this.#flags(node);
      sizeBytes += this.#sizeOf(node, text);
    }
    const bytes = Buffer.alloc(sizeBytes);
    bytes.writeUInt32BE(INDEX_MAGIC, 0);
    bytes.writeUInt32BE(INDEX_VERSION, 4);
    writeWord(bytes, 8, offsets[0] as number);
    let at = HEADER_BYTES;
    for (const node of order) at = this.#writeNode(bytes, at, node, offsets, text);
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
    const order = new Int32Array(this.#nodeCount);
    const parents = new Int32Array(this.#nodeCount);
    let depth = 0;
    let count = 0;
    let node = 0;
    for (;;) {
      order[count++] = node;
      const child = this.#firstChild[node] as number;
      if (child !== 0) {
        parents[depth++] = node;
        node = child;
        continue;
      }
      while (this.#nextSibling[node] === 0) {
        if (depth === 0) return order;
        node = parents[--depth] as number;
      }
      node = this.#nextSibling[node] as number;
    }
  }

  #postOrder(): Int32Array {
    const order = new Int32Array(this.#nodeCount);
    const parents = new Int32Array(this.#nodeCount);
    let depth = 0;
    let count = 0;
    let node = 0;
    for (;;) {
      while (this.#firstChild[node] !== 0) {
        parents[depth++] = node;
        node = this.#firstChild[node] as number;
      }
      order[count++] = node;
      while (this.#nextSibling[node] === 0) {
        if (depth === 0) return order;
        node = parents[--depth] as number;
        order[count++] = node;
      }
      node = this.#nextSibling[node] as number;
    }
  }

  #flags(node: number): number {
    return (
      (this.#prefixEnd[node] !== this.#prefixStart[node] ? NODE_PREFIX : 0) |
      (this.#firstValue[node] !== 0 ? NODE_VALUES : 0) |
      (this.#firstChild[node] !== 0 ? NODE_CHILDREN : 0)
    );
  }

  #lastChild(node: number): number {
    let child = this.#firstChild[node] as number;
    while (this.#nextSibling[child] !== 0) child = this.#nextSibling[child] as number;
    return child;
  }

  #sizeOf(node: number, text: Pieces): number {
    let size = 0;
    const prefixLength = (this.#prefixEnd[node] as number) - (this.#prefixStart[node] as number);
    if (prefixLength > 0) size += prefixLength + 1;
    const first = this.#firstChild[node] as number;
    if (first !== 0) {
      const span = (this.#label[this.#lastChild(node)] as number) - (this.#label[first] as number) + 1;
      size += 2 + 4 * span;
    }
    let value = this.#firstValue[node] as number;
    if (value !== 0) size += 4;
    for (; value !== 0; value = this.#nextValue[value] as number) {
      const piece = this.#value[value] as number;
      size += 4 + (text.end[piece] as number) - (text.start[piece] as number) + 1;
    }
    return size;
  }

  #writeNode(bytes: Buffer, start: number, node: number, offsets: Uint32Array, text: Pieces): number {
    let at = start;
    const prefixEnd = this.#prefixEnd[node] as number;
    let prefix = this.#prefixStart[node] as number;
    if (prefix < prefixEnd) {
      while (prefix < prefixEnd) bytes[at++] = this.#keys[prefix++] as number;
      at++;
    }
    const first = this.#firstChild[node] as number;
    if (first !== 0) {
      const firstLabel = this.#label[first] as number;
      const lastLabel = this.#label[this.#lastChild(node)] as number;
      bytes[at++] = firstLabel;
      bytes[at++] = lastLabel;
      for (let child = first; child !== 0; child = this.#nextSibling[child] as number) {
        const slot = (this.#label[child] as number) - firstLabel;
        writeWord(bytes, at + 4 * slot, offsets[child] as number);
      }
      at += 4 * (lastLabel - firstLabel + 1);
    }
    let value = this.#firstValue[node] as number;
    if (value === 0) return at;
    const countAt = at;
    at += 4;
    let count = 0;
    for (; value !== 0; value = this.#nextValue[value] as number) {
      count++;
      writeWord(bytes, at, this.#priority[value] as number);
      at += 4;
      const piece = this.#value[value] as number;
      const textEnd = text.end[piece] as number;
      for (let from = text.start[piece] as number; from < textEnd; from++) {
        bytes[at++] = text.bytes[from] as number;
      }
      at++;
    }
    writeWord(bytes, countAt, count);
    return at;
  }
}

function writeWord(bytes: Buffer, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}
