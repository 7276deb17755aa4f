import { damaged } from './decompress.ts';

/** What a package says of itself, and where its files begin. */
export interface RpmFacts {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  readonly isSource: boolean;
  /** Offset of the packed cpio archive. */
  readonly payloadStart: number;
}

const LEAD_BYTES = 96;
const LEAD_MAGIC = 0xedabeedb;
const HEADER_MAGIC = 0x8eade801;
/** What rpm itself allows at most. */
const MAX_ENTRIES = 0xffff;
const MAX_DATA_BYTES = 256 * 1024 ** 2;

const TAGS = { name: 1000, version: 1001, release: 1002, arch: 1022, payloadFormat: 1124 } as const;
const SOURCE_PACKAGE = 1106;
const SOURCE_RPM = 1044;
const STRING = 6;

/**
 * Reads the headers of a package.
 *
 * @param name The file, for messages.
 * @throws {CompileError} `ARCHIVE_INVALID`.
 * @see https://rpm-software-management.github.io/rpm/manual/format.html
 */
export function readRpmFacts(input: Uint8Array, name: string): RpmFacts {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  if (bytes.length < LEAD_BYTES || bytes.readUInt32BE(0) !== LEAD_MAGIC) {
    throw damaged(name, 'it is no rpm');
  }
  const signature = readHeader(bytes, LEAD_BYTES, name);
  // The signature is filled up to eight bytes, the header is not.
  const header = readHeader(bytes, LEAD_BYTES + Math.ceil((signature.end - LEAD_BYTES) / 8) * 8, name);
  const format = header.text(TAGS.payloadFormat);
  if (format !== undefined && format !== 'cpio') throw damaged(name, `its payload is ${format.slice(0, 20)}`);
  return {
    name: header.text(TAGS.name) ?? '',
    version: header.text(TAGS.version) ?? '',
    release: header.text(TAGS.release) ?? '',
    arch: header.text(TAGS.arch) ?? '',
    isSource: header.has(SOURCE_PACKAGE) || !header.has(SOURCE_RPM),
    payloadStart: header.end,
  };
}

interface Header {
  readonly end: number;
  has(tag: number): boolean;
  text(tag: number): string | undefined;
}

function readHeader(bytes: Buffer, start: number, name: string): Header {
  if (start + 16 > bytes.length) throw damaged(name, 'its header is cut off');
  if (bytes.readUInt32BE(start) !== HEADER_MAGIC) throw damaged(name, 'its header is damaged');
  const entries = bytes.readUInt32BE(start + 8);
  const dataBytes = bytes.readUInt32BE(start + 12);
  const dataStart = start + 16 + 16 * entries;
  const end = dataStart + dataBytes;
  if (entries > MAX_ENTRIES || dataBytes > MAX_DATA_BYTES || end > bytes.length) {
    throw damaged(name, 'its header is cut off');
  }
  const found = new Map<number, { readonly type: number; readonly offset: number }>();
  for (let at = start + 16; at < dataStart; at += 16) {
    found.set(bytes.readUInt32BE(at), {
      type: bytes.readUInt32BE(at + 4),
      offset: dataStart + bytes.readUInt32BE(at + 8),
    });
  }
  return {
    end,
    has: (tag) => found.has(tag),
    text(tag) {
      const entry = found.get(tag);
      if (entry?.type !== STRING) return undefined;
      const stop = bytes.indexOf(0, entry.offset);
      if (entry.offset >= end || stop < 0 || stop >= end) throw damaged(name, 'its header is damaged');
      return bytes.toString('utf8', entry.offset, stop);
    },
  };
}
