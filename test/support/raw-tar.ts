/** One tar header written by hand, so that it can say what no proper writer says. */
export interface RawHeader {
  readonly name: string;
  /** Type flag: `0` file, `1` hard link, `2` symlink, `5` directory, `x` and `g` PAX, `L` and `K` long names of GNU. */
  readonly type?: string;
  readonly sizeBytes?: number;
  readonly linkName?: string;
  /** Writes a wrong checksum. */
  readonly isBroken?: boolean;
}

/** A header block of 512 bytes. */
export function rawHeader({
  name,
  type = '0',
  sizeBytes = 0,
  linkName = '',
  isBroken = false,
}: RawHeader): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  block.write('0000644\u00000000000\u00000000000\0', 100);
  block.write(sizeBytes.toString(8).padStart(11, '0'), 124);
  block.write('00000000000', 136);
  block.fill(' ', 148, 156);
  block.write(type, 156);
  block.write(linkName, 157, 100);
  block.write('ustar\u000000', 257);
  const checksum = block.reduce((sum, byte) => sum + byte, isBroken ? 1 : 0);
  block.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A header and its content, padded to blocks. */
export function rawEntry(header: RawHeader, content: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(content);
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  return Buffer.concat([rawHeader({ sizeBytes: bytes.length, ...header }), bytes, padding]);
}

/** Two blocks of zeros. */
export const END_OF_TAR = Buffer.alloc(1024);

/** A stream in pieces that says whether it was closed, and how much of it was taken. */
export class PieceSource implements AsyncIterable<Uint8Array> {
  isClosed = false;
  takenBytes = 0;
  readonly #bytes: Uint8Array;
  readonly #pieceBytes: number;
  readonly #failure: Error | undefined;

  constructor(bytes: Uint8Array, pieceBytes = 64 * 1024, failure?: Error) {
    this.#bytes = bytes;
    this.#pieceBytes = pieceBytes;
    this.#failure = failure;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < this.#bytes.length; at += this.#pieceBytes) {
        const piece = this.#bytes.subarray(at, at + this.#pieceBytes);
        this.takenBytes += piece.length;
        // A turn of the event loop, as a socket takes.
        await new Promise((resolve) => setImmediate(resolve));
        yield piece;
      }
      if (this.#failure !== undefined) throw this.#failure;
    } finally {
      this.isClosed = true;
    }
  }
}
