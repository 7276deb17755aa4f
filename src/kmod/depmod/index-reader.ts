import { ModuleError } from '../../errors.ts';
import {
  HEADER_BYTES,
  INDEX_MAGIC,
  INDEX_VERSION,
  NODE_CHILDREN,
  NODE_PREFIX,
  NODE_VALUES,
  OFFSET_MASK,
} from './index-trie.ts';

/** One value of a binary index. */
export interface IndexEntry {
  readonly key: string;
  readonly value: string;
  readonly priority: number;
}

/** depmod cuts keys at `PATH_MAX`. */
const MAX_KEY_LENGTH = 8192;

interface Node {
  readonly offset: number;
  /** Key up to the node, without its prefix. */
  readonly path: string;
}

/**
 * Lists what a binary index holds, in the order of its keys, as libkmod would find it. Both layouts are read.
 *
 * @throws {ModuleError} `INDEX_INVALID` for bytes that libkmod could not read; `LIMIT_EXCEEDED` when nodes are shared or
 * form a circle, so that the list would be longer than any file of that size can hold.
 * @see kmod, `libkmod/libkmod-index.c`
 */
export function readIndex(bytes: Uint8Array): readonly IndexEntry[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (
    buffer.length < HEADER_BYTES ||
    buffer.readUInt32BE(0) !== INDEX_MAGIC ||
    buffer.readUInt32BE(4) !== INDEX_VERSION
  ) {
    throw invalid('it has no header');
  }
  const entries: IndexEntry[] = [];
  const nodes: Node[] = [{ offset: buffer.readUInt32BE(8), path: '' }];
  // Each node takes bytes of its own: a file that shares none of them is walked in no more bytes than it has.
  let remainingBytes = buffer.length;
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    const start = node.offset & OFFSET_MASK;
    const end = readNode(buffer, { offset: node.offset, path: node.path }, nodes, entries);
    remainingBytes -= end - start;
    if (remainingBytes < 0) {
      throw new ModuleError('LIMIT_EXCEEDED', 'Cannot read an index: its nodes overlap', {
        hint: 'The file is damaged; compute the indexes anew with --full.',
      });
    }
  }
  return entries;
}

/** @returns Where the node ends. */
function readNode(buffer: Buffer, node: Node, nodes: Node[], entries: IndexEntry[]): number {
  let at = node.offset & OFFSET_MASK;
  let key = node.path;
  if ((node.offset & NODE_PREFIX) !== 0) {
    const end = findNul(buffer, at);
    key += buffer.toString('latin1', at, end);
    at = end + 1;
  }
  if (key.length > MAX_KEY_LENGTH) throw invalid('a key is too long');
  if ((node.offset & NODE_CHILDREN) !== 0) {
    if (at + 2 > buffer.length) throw invalid('a node goes beyond its end');
    const first = buffer.readUInt8(at);
    const last = buffer.readUInt8(at + 1);
    at += 2;
    const count = last - first + 1;
    if (count < 1 || at + 4 * count > buffer.length) throw invalid('a node goes beyond its end');
    for (let label = last; label >= first; label--) {
      const offset = buffer.readUInt32BE(at + 4 * (label - first));
      if (offset !== 0) nodes.push({ offset, path: key + String.fromCharCode(label) });
    }
    at += 4 * count;
  }
  if ((node.offset & NODE_VALUES) !== 0) {
    if (at + 4 > buffer.length) throw invalid('a node goes beyond its end');
    const count = buffer.readUInt32BE(at);
    at += 4;
    for (let value = 0; value < count; value++) {
      if (at + 4 > buffer.length) throw invalid('a node goes beyond its end');
      const priority = buffer.readUInt32BE(at);
      const end = findNul(buffer, at + 4);
      entries.push({ key, value: buffer.toString('latin1', at + 4, end), priority });
      at = end + 1;
    }
  }
  return at;
}

function findNul(buffer: Buffer, start: number): number {
  const end = start > buffer.length ? -1 : buffer.indexOf(0, start);
  if (end < 0) throw invalid('a text goes beyond its end');
  return end;
}

function invalid(why: string): ModuleError {
  return new ModuleError('INDEX_INVALID', `Cannot read an index of kernel modules: ${why}`, {
    hint: 'The file is damaged; compute the indexes anew with --full.',
  });
}
