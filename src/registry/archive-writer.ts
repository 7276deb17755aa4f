import { rmSync } from 'node:fs';
import { copyFile, type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Digest } from '../oci/digest.ts';
import { blobPath, readFilePart } from './archive-reader.ts';
import { temporaryNameFor } from './atomic-file.ts';
import { LAYOUT_MARK } from './layout-directory.ts';
import { EMPTY_INDEX, formatLayoutIndex, type LayoutIndex } from './layout-index.ts';
import type { LayoutStore } from './layout-store.ts';
import { TAR_END, tarHeader, tarPadding, type TarPart } from './tar-index.ts';

/**
 * Writes an OCI layout into a tar. Blobs go to a temporary file beside it; each time that a manifest is listed the
 * tar is completed and put in its place at once. What was begun is removed when the work is cancelled or the process
 * ends. A file that was there before is replaced, as skopeo does it.
 *
 * @param signal Removes the temporary file when aborted.
 */
export function archiveWriter(path: string, signal: AbortSignal | undefined): LayoutStore {
  return new ArchiveWriter(path, signal);
}

/** Temporary files of archives that were begun; what is here when the process ends is removed. */
const unfinished = new Set<string>();
let isWatchingExit = false;

function removeAtExit(file: string): void {
  unfinished.add(file);
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.on('exit', () => {
    for (const left of unfinished) rmSync(left, { force: true });
  });
}

class ArchiveWriter implements LayoutStore {
  readonly #path: string;
  readonly #parts = new Map<Digest, TarPart>();
  readonly #signal: AbortSignal | undefined;
  #index: LayoutIndex = EMPTY_INDEX;
  /** File that holds the blobs: the temporary one, or the finished archive. */
  #file: string;
  #temporary: FileHandle | undefined;
  #end = 0;
  /** One writer at a time: blobs stand one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #removeNow = (): void => {
    if (this.#temporary !== undefined) rmSync(this.#file, { force: true });
    unfinished.delete(this.#file);
  };

  constructor(path: string, signal: AbortSignal | undefined) {
    this.#path = path;
    this.#file = path;
    this.#signal = signal;
  }

  readIndex(): Promise<LayoutIndex> {
    return Promise.resolve(this.#index);
  }

  updateIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    return this.#inTurn(async () => {
      const index = change(this.#index);
      const file = await this.#begin();
      const indexBytes = formatLayoutIndex(index);
      const mark = Buffer.from(LAYOUT_MARK);
      const tail = Buffer.concat([
        ...fileOf('oci-layout', mark),
        ...fileOf('index.json', indexBytes),
        TAR_END,
      ]);
      await writeAll(file, tail, this.#end);
      await file.truncate(this.#end + tail.length);
      await file.close();
      await rename(this.#file, this.#path);
      this.#settle();
      this.#index = index;
    });
  }

  findBlob(digest: Digest): Promise<number | undefined> {
    return Promise.resolve(this.#parts.get(digest)?.sizeBytes);
  }

  async *openBlob(digest: Digest): AsyncGenerator<Buffer, void, undefined> {
    const part = this.#parts.get(digest);
    if (part !== undefined) yield* readFilePart(this.#file, part);
  }

  writeBlob(
    { digest, sizeBytes }: { digest: Digest; sizeBytes: number },
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#parts.has(digest)) return;
      const file = await this.#begin();
      const header = tarHeader(blobPath(digest), sizeBytes);
      let at = this.#end;
      // A blob that breaks off is overwritten by the next one: only #end says what is there.
      at += await writeAll(file, header, at);
      const offset = at;
      for await (const chunk of chunks) at += await writeAll(file, chunk, at);
      at += await writeAll(file, tarPadding(sizeBytes), at);
      this.#parts.set(digest, { offset, sizeBytes });
      this.#end = at;
    });
  }

  linkBlob(): Promise<boolean> {
    return Promise.resolve(false);
  }

  blobFile(): undefined {
    return undefined;
  }

  /** The temporary file, with everything that was written so far. */
  async #begin(): Promise<FileHandle> {
    this.#signal?.throwIfAborted();
    if (this.#temporary !== undefined) return this.#temporary;
    await mkdir(dirname(this.#path), { recursive: true });
    const name = temporaryNameFor(this.#path);
    // After a first manifest its archive is complete and in its place: the next one goes on with a copy.
    if (this.#end > 0) await copyFile(this.#path, name);
    this.#temporary = await open(name, this.#end > 0 ? 'r+' : 'wx');
    this.#file = name;
    removeAtExit(name);
    this.#signal?.addEventListener('abort', this.#removeNow, { once: true });
    if (this.#end > 0) await this.#temporary.truncate(this.#end);
    return this.#temporary;
  }

  #settle(): void {
    unfinished.delete(this.#file);
    this.#temporary = undefined;
    this.#file = this.#path;
    this.#signal?.removeEventListener('abort', this.#removeNow);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

function fileOf(path: string, bytes: Buffer): readonly Buffer[] {
  return [tarHeader(path, bytes.length), bytes, tarPadding(bytes.length)];
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<number> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
  return bytes.length;
}
