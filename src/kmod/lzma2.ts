import { LzmaState } from './lzma-state.ts';
import { decodeLzma } from './lzma.ts';

export interface Lzma2Request {
  readonly input: Uint8Array;
  /** Where the chunks start and where they must have ended. */
  readonly start: number;
  readonly end: number;
  readonly output: Uint8Array;
  /** Where what comes out goes; nothing before is looked back at. */
  readonly outputStart: number;
  readonly outputEnd: number;
  /** How far back a match may reach. */
  readonly dictionaryBytes: number;
}

/** What is wrong with compressed data, in a few words. */
export class Lzma2Error extends Error {}

/** A control byte: what a chunk holds, and what is forgotten before it. */
const [END, DICTIONARY_RESET, COMPRESSED, STATE_RESET, NEW_PROPERTIES, ALL_RESET] = [
  0x00, 0x01, 0x80, 0xa0, 0xc0, 0xe0,
];

/** Bytes by which the range decoder starts; the first is zero. */
const RANGE_BYTES = 5;

const state = new LzmaState();

/**
 * Unpacks LZMA2: chunks of LZMA or of plain bytes. Time and memory are bounded by what the chunks say that they hold,
 * which must be exactly the room that is given.
 *
 * @returns Where the input ended.
 * @throws {Lzma2Error} for damaged data.
 * @see https://tukaani.org/xz/xz-file-format.txt section 5.3.1; xz, `src/liblzma/lzma/lzma2_decoder.c`
 */
export function decodeLzma2(request: Lzma2Request): number {
  const { input, end, output, outputStart, outputEnd } = request;
  let at = request.start;
  state.begin(input, output, request.dictionaryBytes);
  state.outputAt = outputStart;
  let needsDictionary = true;
  let needsProperties = true;
  for (;;) {
    const control = input[at++] ?? END;
    if (at > end) throw new Lzma2Error('the data is cut off');
    if (control === END) break;
    if (control >= ALL_RESET || control === DICTIONARY_RESET) {
      state.dictionaryStart = state.outputAt;
      needsDictionary = false;
      needsProperties = true;
    }
    if (needsDictionary || (control > DICTIONARY_RESET + 1 && control < COMPRESSED)) {
      throw new Lzma2Error('a chunk is of no known kind');
    }
    const isCompressed = control >= COMPRESSED;
    if (at + (isCompressed ? 5 : 2) > end) throw new Lzma2Error('the data is cut off');
    const low = readU16(input, at) + 1;
    const unpackedBytes = isCompressed ? ((control & 0x1f) << 16) + low : low;
    if (state.outputAt + unpackedBytes > outputEnd) throw new Lzma2Error('there is more than was promised');
    at += 2;
    if (!isCompressed) {
      if (at + unpackedBytes > end) throw new Lzma2Error('the data is cut off');
      output.set(input.subarray(at, at + unpackedBytes), state.outputAt);
      state.outputAt += unpackedBytes;
      at += unpackedBytes;
      continue;
    }
    const packedBytes = readU16(input, at) + 1;
    at += 2;
    if (control >= NEW_PROPERTIES) {
      if (!state.setProperties(input[at++] ?? 0)) throw new Lzma2Error('its properties are out of bounds');
      needsProperties = false;
    }
    if (needsProperties) throw new Lzma2Error('a chunk has no properties');
    if (control >= STATE_RESET) state.reset();
    if (at + packedBytes > end || packedBytes < RANGE_BYTES || input[at] !== 0) {
      throw new Lzma2Error('the data is cut off');
    }
    state.inputAt = at + RANGE_BYTES;
    state.range = 0xffff_ffff;
    state.code = readU16(input, at + 1) * 0x1_0000 + readU16(input, at + 3);
    if (!decodeLzma(state, state.outputAt + unpackedBytes)) throw new Lzma2Error('the data is damaged');
    at += packedBytes;
    // A whole chunk leaves nothing: neither bytes nor a part of a number.
    if (state.inputAt !== at || state.code !== 0) throw new Lzma2Error('the data is damaged');
  }
  if (state.outputAt !== outputEnd) throw new Lzma2Error('there is less than was promised');
  return at;
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0);
}
