/** Bytes after the magic in which the header of a frame says how long it is. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

/** What the next bytes are. */
type Part =
  'magic' | 'descriptor' | 'fields' | 'block' | 'content' | 'checksum' | 'length' | 'skipped' | 'unknown';

/**
 * Passes on zstd data, cut where a frame ends: Node's decoder drops what follows the end of a frame in one write, while
 * layers of several frames are common. Bytes that are no frame are passed on for the decoder to judge.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8878#name-zstandard-frames
 */
export async function* cutAtFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new FrameScanner();
  for await (const chunk of chunks) {
    let start = 0;
    for (const end of frames.scan(chunk)) {
      yield chunk.subarray(start, end);
      start = end;
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }
}

/** Follows the structure of frames without decoding anything. */
class FrameScanner {
  #part: Part = 'magic';
  /** Bytes of the part that are still to come. */
  #left = 4;
  /** Value of the part's bytes so far, least significant first; only kept for the short parts. */
  #value = 0;
  #shift = 0;
  #hasChecksum = false;
  #isLastBlock = false;

  /** Positions in the chunk behind which a new frame begins. */
  *scan(chunk: Uint8Array): Generator<number> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#part === 'unknown') return;
      if (
        this.#part === 'fields' ||
        this.#part === 'content' ||
        this.#part === 'checksum' ||
        this.#part === 'skipped'
      ) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
      } else {
        this.#value += (chunk[at] ?? 0) * 2 ** this.#shift;
        this.#shift += 8;
        this.#left--;
        at++;
      }
      while (this.#left === 0) {
        const isEnd = this.#advance();
        if (isEnd) yield at;
      }
    }
  }

  /** Goes on to the part after one that is complete; true when that was the end of a frame. */
  #advance(): boolean {
    const value = this.#value;
    switch (this.#part) {
      case 'magic':
        if (value === FRAME) this.#expect('descriptor', 1);
        else if (value >= SKIPPABLE && value <= SKIPPABLE + 15) this.#expect('length', 4);
        else this.#expect('unknown', 1);
        return false;
      case 'descriptor': {
        const isSingleSegment = (value & 0x20) !== 0;
        this.#hasChecksum = (value & 0x04) !== 0;
        const sizeFlag = value >> 6;
        const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0);
        this.#expect('fields', (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[value & 3] ?? 0) + sizeBytes);
        return false;
      }
      case 'block': {
        this.#isLastBlock = (value & 1) !== 0;
        const isRepeatedByte = ((value >> 1) & 3) === 1;
        this.#expect('content', isRepeatedByte ? 1 : value >> 3);
        return false;
      }
      case 'length':
        this.#expect('skipped', value);
        return false;
      case 'fields':
        this.#expect('block', 3);
        return false;
      case 'content':
        if (!this.#isLastBlock) this.#expect('block', 3);
        else if (this.#hasChecksum) this.#expect('checksum', 4);
        else return this.#end();
        return false;
      case 'checksum':
      case 'skipped':
      case 'unknown':
        return this.#end();
    }
  }

  #end(): true {
    this.#expect('magic', 4);
    return true;
  }

  #expect(part: Part, bytes: number): void {
    this.#part = part;
    this.#left = bytes;
    this.#value = 0;
    this.#shift = 0;
  }
}
