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

/** Binary indexes, those first that are most likely to hold something. */
const BINARY_FILES = [
  'modules.dep.bin',
  'modules.alias.bin',
  'modules.symbols.bin',
  'modules.builtin.bin',
  'modules.builtin.alias.bin',
];

/**
 * Layout of the binary indexes: that of `modules.dep.bin`, or of another one where the base has no modules.
 *
 * @throws {ModuleError} `INDEX_INVALID` for a `modules.dep.bin` that is missing or no index; `INDEX_UNSUPPORTED` when
 * none of the indexes holds anything: they look the same in both layouts.
 */
export function readLayout(base: ReadonlyMap<string, Uint8Array>): IndexLayout {
  if (layoutOf(getFile(base, 'modules.dep.bin')) === undefined) {
    throw new ModuleError(
      'INDEX_INVALID',
      'Cannot read modules.dep.bin: it is not an index of kernel modules',
      {
        hint: 'Take the index from the image again, or compute all indexes anew with --full.',
      },
    );
  }
  const layout = findLayout(base);
  if (layout !== undefined) return layout;
  throw new ModuleError(
    'INDEX_UNSUPPORTED',
    'Cannot tell which kmod wrote the indexes of the base: they are empty',
    {
      hint: 'The base has no modules; compute all indexes anew with --full.',
    },
  );
}

/** As `readLayout`, of whatever indexes there are; undefined when none tells. */
export function findLayout(base: ReadonlyMap<string, Uint8Array>): IndexLayout | undefined {
  for (const name of BINARY_FILES) {
    const bytes = findFile(base, name);
    const layout = bytes === undefined ? undefined : layoutOf(bytes);
    if (layout !== undefined && layout !== 'empty') return layout;
  }
  return undefined;
}

/** Undefined for bytes that are no index. */
function layoutOf(bytes: Buffer): IndexLayout | 'empty' | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== INDEX_MAGIC || bytes.readUInt16BE(4) !== 2)
    return undefined;
  if (bytes.length === HEADER_BYTES) return 'empty';
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
