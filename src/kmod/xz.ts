import { ReadableStream } from 'node:stream/web';
import { ModuleError } from '../errors.ts';
import { damaged, unpacksTooFar } from './compression-errors.ts';

const HEADER_BYTES = 12;
const FOOTER_BYTES = 12;

/** Checks that the decoder knows: none, CRC32 (what the kernel reads), CRC64. */
const KNOWN_CHECKS = [0x00, 0x01, 0x04];

/**
 * Unpacks one xz stream. Its index, which stands at the end, says how much comes out before anything is unpacked, and
 * that the file holds this stream and nothing else.
 *
 * @throws {ModuleError} `COMPRESSION_INVALID`, `COMPRESSION_UNSUPPORTED`, `LIMIT_EXCEEDED`.
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export async function readXz(input: Uint8Array, maxBytes: number): Promise<Buffer> {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const sizeBytes = readUnpackedSize(bytes);
  if (sizeBytes > maxBytes) throw unpacksTooFar(maxBytes);

  const { XzReadableStream } = await loadDecoder();
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const part of new XzReadableStream(source)) {
      total += part.length;
      if (total > sizeBytes) break;
      if (part.length > 0) parts.push(part);
    }
  } catch (error) {
    throw decoderError(error);
  }
  if (total !== sizeBytes) throw damaged('xz', 'its index and its blocks disagree');
  return Buffer.concat(parts, total);
}

/** Bytes that the stream unpacks to, as its index says. */
function readUnpackedSize(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES + FOOTER_BYTES + 8) throw damaged('xz', 'the file is cut off');
  const check = bytes.readUInt8(7);
  if (!KNOWN_CHECKS.includes(check)) {
    throw new ModuleError(
      'COMPRESSION_UNSUPPORTED',
      `Cannot decompress a module: xz check ${check} is not known`,
      {
        hint: 'Compress modules with "xz --check=crc32", the check that the kernel reads.',
      },
    );
  }
  const footer = bytes.length - FOOTER_BYTES;
  if (bytes.toString('latin1', bytes.length - 2) !== 'YZ')
    throw damaged('xz', 'the end of the stream is missing');
  const indexStart = footer - 4 * (bytes.readUInt32LE(footer + 4) + 1);
  if (indexStart < HEADER_BYTES || bytes[indexStart] !== 0) throw damaged('xz', 'the index is missing');

  const reader = { at: indexStart + 1, end: footer };
  const count = readVariable(bytes, reader);
  let packedBytes = 0;
  let unpackedBytes = 0;
  for (let index = 0; index < count; index++) {
    packedBytes += Math.ceil(readVariable(bytes, reader) / 4) * 4;
    unpackedBytes += readVariable(bytes, reader);
  }
  if (HEADER_BYTES + packedBytes !== indexStart) throw damaged('xz', 'there is more than one stream');
  return unpackedBytes;
}

/** A number in groups of seven bits, lowest first. Those beyond 2^53 are off, and beyond every limit anyway. */
function readVariable(bytes: Buffer, reader: { at: number; readonly end: number }): number {
  let value = 0;
  for (let group = 0; group < 9 && reader.at < reader.end; group++) {
    const byte = bytes.readUInt8(reader.at++);
    value += (byte & 0x7f) * 2 ** (7 * group);
    if (byte < 0x80) return value;
  }
  throw damaged('xz', 'a number of the index does not end');
}

/** The decoder tells its reasons by number: those of `enum xz_ret` in XZ Embedded. */
function decoderError(cause: unknown): ModuleError {
  const code = cause instanceof Error ? /error code (\d)/.exec(cause.message)?.[1] : undefined;
  const feature = { 2: 'this check', 4: 'a dictionary over 64 MiB', 6: 'these filters' }[code ?? ''];
  if (feature === undefined) return damaged('xz', code === '7' ? 'the data is damaged' : cause);
  return new ModuleError(
    'COMPRESSION_UNSUPPORTED',
    `Cannot decompress a module: xz with ${feature} is not read`,
    {
      cause,
      hint: 'Compress modules with "xz --check=crc32 --lzma2=dict=1MiB", which the kernel reads, too.',
    },
  );
}

interface XzModule {
  readonly XzReadableStream: new (compressed: ReadableStream<Uint8Array>) => AsyncIterable<Uint8Array>;
}

async function loadDecoder(): Promise<XzModule> {
  // CommonJS: depending on who bundles it, the names are on the module or on its default.
  const loaded = (await import('xz-decompress')) as unknown as XzModule & { readonly default?: XzModule };
  return loaded.default ?? loaded;
}
