import { ModuleError } from '../../errors.ts';
import { HEADER_BYTES, INDEX_MAGIC, type IndexLayout, OFFSET_MASK } from './index-trie.ts';

/** Text indexes that depmod writes, each with the binary one made of it. */
export const MERGED_FILES = [
  'modules.dep',
  'modules.dep.bin',
  'modules.alias',
  'modules.alias.bin',
  'modules.softdep',
  'modules.weakdep',
  'modules.symbols',
  'modules.symbols.bin',
  'modules.devname',
] as const;

export type MergedFile = (typeof MERGED_FILES)[number];

/** Without these a merge does not know what the base has. */
export const NEEDED_FILES = ['modules.dep', 'modules.dep.bin', 'modules.alias', 'modules.symbols'] as const;

/** No file of a kernel's indexes is larger; a larger one is not read. */
const MAX_FILE_BYTES = 128 * 1024 ** 2;

/**
 * Layout of a binary index.
 *
 * @throws {ModuleError} `INDEX_INVALID` for bytes that are no index; `INDEX_UNSUPPORTED` for one without nodes, which
 * looks the same in both layouts.
 */
export function readLayout(file: string, bytes: Buffer): IndexLayout {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== INDEX_MAGIC || bytes.readUInt16BE(4) !== 2) {
    throw new ModuleError('INDEX_INVALID', `Cannot read ${file}: it is not an index of kernel modules`, {
      hint: 'Take the index from the image again, or compute all indexes anew with --full.',
    });
  }
  if (bytes.length === HEADER_BYTES) {
    throw new ModuleError('INDEX_UNSUPPORTED', `Cannot tell which kmod wrote ${file}: it is empty`, {
      hint: 'The base has no modules; compute all indexes anew with --full.',
    });
  }
  return (bytes.readUInt32BE(8) & OFFSET_MASK) === HEADER_BYTES ? 'pre-order' : 'post-order';
}

/** A file of the base as a Buffer over the same bytes. @throws {ModuleError} `LIMIT_EXCEEDED`. */
export function findFile(base: ReadonlyMap<string, Uint8Array>, name: string): Buffer | undefined {
  const bytes = base.get(name);
  if (bytes === undefined) return undefined;
  if (bytes.length > MAX_FILE_BYTES) {
    throw new ModuleError('LIMIT_EXCEEDED', `Cannot read ${name}: it has ${bytes.length} bytes`, {
      hint: `No index of a kernel is larger than ${MAX_FILE_BYTES} bytes.`,
    });
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** As `findFile`. @throws {ModuleError} `INDEX_INVALID` when it is missing, `LIMIT_EXCEEDED`. */
export function getFile(base: ReadonlyMap<string, Uint8Array>, name: string): Buffer {
  const bytes = findFile(base, name);
  if (bytes !== undefined) return bytes;
  throw new ModuleError('INDEX_INVALID', `Cannot read the indexes of the base: ${name} is missing`, {
    hint: 'Give all modules.* files of the kernel, or compute all indexes anew with --full.',
  });
}
