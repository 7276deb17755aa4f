const NOTHING = Buffer.alloc(0);

/** Bytes of a stream, taken as they are needed; what was taken too much can be given back. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #waiting: Buffer = NOTHING;
  #isEnded = false;
  /** Bytes that were taken. */
  position = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, which stay where they are; fewer when there are no more. */
  async peek(count: number): Promise<Buffer> {
    while (this.#waiting.length < count) {
      const next = await this.#pull();
      if (next === undefined) break;
      this.#waiting = this.#waiting.length === 0 ? next : Buffer.concat([this.#waiting, next]);
    }
    return this.#waiting.subarray(0, count);
  }

  /** Some of the next bytes: all that are there without waiting, or a piece; undefined at the end. */
  async next(atMost = Infinity): Promise<Buffer | undefined> {
    const piece = this.#waiting.length > 0 ? this.#waiting : await this.#pull();
    if (piece === undefined) return undefined;
    const taken = piece.subarray(0, atMost);
    this.#waiting = piece.subarray(taken.length);
    this.position += taken.length;
    return taken;
  }

  /** Exactly so many bytes; undefined when there are fewer. */
  async take(count: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = [];
    for (let left = count; left > 0;) {
      const piece = await this.next(left);
      if (piece === undefined) return undefined;
      pieces.push(piece);
      left -= piece.length;
    }
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  /** Says whether there were as many to skip. */
  async skip(count: number): Promise<boolean> {
    for (let left = count; left > 0;) {
      const piece = await this.next(left);
      if (piece === undefined) return false;
      left -= piece.length;
    }
    return true;
  }

  async skipZeros(): Promise<void> {
    for (;;) {
      const piece = await this.next();
      if (piece === undefined) return;
      const at = piece.findIndex((byte) => byte !== 0);
      if (at < 0) continue;
      this.giveBack(piece.subarray(at));
      return;
    }
  }

  /** Puts bytes that were taken before what comes next. */
  giveBack(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([bytes, this.#waiting]);
    this.position -= bytes.length;
  }

  /** Lets go of the stream without reading the rest. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #pull(): Promise<Buffer | undefined> {
    while (!this.#isEnded) {
      const next = await this.#chunks.next();
      if (next.done === true) this.#isEnded = true;
      else if (next.value.length > 0)
        return Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return undefined;
  }
}
