import { extract, type Header } from 'tar-stream';
import { OciError } from '../errors.ts';
import { decompressLayer } from './decompress.ts';

/** One entry of a layer's tar, with its names made plain: no leading `./` or `/`, no trailing `/`. */
export interface LayerEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  readonly sizeBytes: number;
  readonly mode: number;
  /** Where a link points: as it stands for a symlink, made plain for a hard link. */
  readonly linkPath: string | undefined;
}

export interface WalkOptions {
  /** Most bytes that the layer may unpack to. */
  readonly maxBytes: number;
  /** True when the input is only the start of the layer. */
  readonly isPrefix?: boolean;
  /** Says, for a regular file, whether `onContent` gets its bytes. */
  readonly wants: (entry: LayerEntry) => boolean;
  readonly onEntry?: (entry: LayerEntry) => void;
  readonly onContent: (entry: LayerEntry, bytes: Buffer) => void;
  /** Asked after each entry: true ends the walk without reading the rest. */
  readonly isDone?: () => boolean;
}

/** Largest file whose content is held in memory: 64 MiB. */
export const MAX_FILE_BYTES = 64 * 1024 ** 2;

/**
 * Most tar bytes between two entries. Only the headers of one entry stand there; without this limit a long-name
 * record of some gigabytes would be collected in memory before anyone could refuse it.
 */
const MAX_HEADER_BYTES = 4 * 1024 ** 2;

/**
 * Walks a layer once, as it streams, and hands out entries and the files that are wanted. Memory does not grow with
 * the layer.
 *
 * @throws {OciError} `LAYER_INVALID` for a broken tar, a path with `..` or a wanted file over 64 MiB, `LIMIT_EXCEEDED`.
 */
export async function walkLayer(chunks: AsyncIterable<Uint8Array>, options: WalkOptions): Promise<void> {
  const tar = extract();
  const state: WalkState = {
    failure: undefined,
    isStopped: false,
    isEnding: false,
    isEntryOpen: false,
    bytesSinceEntry: 0,
    wake: undefined,
  };

  const fail = (error: Error): void => {
    // The start of a layer may well end in the middle of a file: that is no mistake, and the file is not handed out.
    if (!state.isEnding || options.isPrefix !== true) state.failure ??= error;
  };

  tar.on('error', fail);
  for (const event of ['drain', 'finish', 'close'] as const) {
    tar.on(event, () => {
      state.wake?.();
    });
  }
  tar.on('entry', (header, content, next) => {
    state.isEntryOpen = true;
    state.bytesSinceEntry = 0;
    const finish = (): void => {
      state.isEntryOpen = false;
      state.isStopped ||= options.isDone?.() === true;
      next(null);
    };
    const parts: Buffer[] = [];
    let onEnd = finish;
    try {
      const entry = toEntry(header);
      options.onEntry?.(entry);
      if (entry.type === 'file' && options.wants(entry)) {
        if (entry.sizeBytes > MAX_FILE_BYTES) throw invalid(`${entry.path} has ${entry.sizeBytes} bytes`);
        content.on('data', (part) => parts.push(part as Buffer));
        onEnd = () => {
          options.onContent(
            entry,
            parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts),
          );
          finish();
        };
      }
    } catch (error) {
      state.failure ??= error instanceof Error ? error : new Error(String(error));
    }
    content.on('end', onEnd);
    content.on('error', fail);
    if (onEnd === finish) content.resume();
  });

  for await (const chunk of decompressLayer(chunks, options)) {
    noteBytes(state, chunk.length);
    if (!tar.write(chunk) && state.failure === undefined) await woken(state);
    throwIf(state.failure);
    if (state.isStopped) return;
  }
  state.isEnding = true;
  tar.end(null);
  if (state.failure === undefined) await woken(state);
  throwIf(state.failure);
}

interface WalkState {
  failure: Error | undefined;
  isStopped: boolean;
  /** All input was written. */
  isEnding: boolean;
  isEntryOpen: boolean;
  bytesSinceEntry: number;
  wake: (() => void) | undefined;
}

/** Waits until the parser can take more, has finished, or was closed by an error. */
function woken(state: WalkState): Promise<void> {
  return new Promise((resolve) => {
    state.wake = resolve;
  });
}

function noteBytes(state: WalkState, bytes: number): void {
  if (state.isEntryOpen) return;
  if (state.bytesSinceEntry > MAX_HEADER_BYTES) {
    state.failure ??= new OciError(
      'LIMIT_EXCEEDED',
      'Cannot read a layer with tar headers of several megabytes',
    );
  }
  state.bytesSinceEntry += bytes;
}

function throwIf(failure: Error | undefined): void {
  if (failure === undefined) return;
  if (failure instanceof OciError) throw failure;
  throw new OciError('LAYER_INVALID', `Cannot read a layer: ${failure.message}`, { cause: failure });
}

function invalid(why: string): OciError {
  return new OciError('LAYER_INVALID', `Cannot read a layer: ${why}`);
}

const TYPES: Readonly<Record<string, LayerEntry['type']>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'hardlink',
};

function toEntry(header: Header): LayerEntry {
  const type = TYPES[header.type] ?? 'other';
  return {
    path: plainPath(header.name),
    type,
    sizeBytes: header.size,
    mode: header.mode,
    linkPath:
      type === 'hardlink' ? plainPath(header.linkname) : type === 'symlink' ? header.linkname : undefined,
  };
}

function plainPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid(`the entry ${JSON.stringify(name)} leaves the root`);
  return parts.join('/');
}
