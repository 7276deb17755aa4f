import { extract, type Header } from 'tar-stream';
import { OciError } from '../errors.ts';
import { decompressLayer } from './decompress.ts';

/** One entry of a layer's tar, with its names made plain: no leading `./` or `/`, no trailing `/`. */
export interface LayerEntry {
  readonly path: string;
  readonly type: EntryType;
  readonly sizeBytes: number;
  /** Permission bits, and those above them: set-user-id, set-group-id, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  /** Names of extended attributes, for instance `security.capability`. */
  readonly xattrs: readonly string[];
  /** Where a link points: as it stands for a symlink, made plain for a hard link. */
  readonly linkPath: string | undefined;
}

export type EntryType =
  'file' | 'directory' | 'symlink' | 'hardlink' | 'character-device' | 'block-device' | 'fifo' | 'other';

export interface WalkOptions {
  /** Most bytes that the layer may unpack to. */
  readonly maxBytes: number;
  /** True when the input is only the start of the layer. */
  readonly isPrefix?: boolean;
  /** Says, for a regular file, whether `onContent` gets its bytes. */
  readonly wants: (entry: LayerEntry) => boolean;
  readonly onEntry?: (entry: LayerEntry) => void;
  /** Gets the bytes of a wanted file: a view of a larger buffer at times, so copy what is kept for long. */
  readonly onContent: (entry: LayerEntry, bytes: Buffer) => void;
  /** Asked after each entry: true ends the walk without reading the rest, whose digest then stays unchecked. */
  readonly isDone?: () => boolean;
  /** Gets names that no node could create, and what is wrong with each; without it they end the walk. */
  readonly onBadName?: (name: string, why: string) => void;
  /** Gets the unpacked tar, piece by piece. */
  readonly onTarBytes?: (bytes: Buffer) => void;
  /** Called for a tar whose last file is whole, but not filled up to a block: some tools write such, some refuse them. */
  readonly onCut?: () => void;
}

/** Largest file whose content is held in memory: 64 MiB. */
export const MAX_FILE_BYTES = 64 * 1024 ** 2;

/** Longest path that a node could create, and so the longest that is kept in memory. */
const MAX_PATH_LENGTH = 4096;

/**
 * Walks a layer once, as it streams, and hands out entries and the files that are wanted. Memory does not grow with
 * the layer.
 *
 * @throws {OciError} `LAYER_INVALID` for a broken tar, a path with `..` or a wanted file over 64 MiB, `LIMIT_EXCEEDED`.
 *   What a callback throws ends the walk and is thrown as it is.
 */
export async function walkLayer(chunks: AsyncIterable<Uint8Array>, options: WalkOptions): Promise<void> {
  const parser = openParser(options);
  let sizeBytes = 0;
  try {
    for await (const chunk of decompressLayer(chunks, options)) {
      options.onTarBytes?.(chunk);
      sizeBytes += chunk.length;
      if (chunk.length > 0) await parser.write(chunk);
      if (parser.isDone()) return;
    }
    if (options.isPrefix === true) return;
    const isCut = sizeBytes % BLOCK_BYTES !== 0 && sizeBytes >= parser.contentEnd();
    if (isCut) await parser.write(Buffer.alloc(BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)));
    await parser.end();
    if (isCut) options.onCut?.();
  } finally {
    parser.close();
  }
}

const BLOCK_BYTES = 512;

interface Parser {
  /** Settles when every complete entry of the chunk was handed out, or the walk is done. */
  write(chunk: Buffer): Promise<void>;
  /** Rejects when the tar ended in the middle of an entry. */
  end(): Promise<void>;
  /** Throws what went wrong since the last write. */
  isDone(): boolean;
  /** Where in the tar the content of the latest entry ends; beyond every tar while there is none. */
  contentEnd(): number;
  close(): void;
}

function openParser(options: WalkOptions): Parser {
  // With this mark each write is followed by exactly one `drain`, also a small one that was taken at once.
  // Its types do not know the other option: tars from before POSIX have no magic, and a checksum like all others.
  const parserOptions = { highWaterMark: 1, allowUnknownFormat: true };
  const tar = extract(parserOptions);
  let failure: Error | undefined;
  let isDone = false;
  let contentEnd = Infinity;
  let settle = (): void => undefined;

  const until = (start: () => void): Promise<void> =>
    new Promise((resolve, reject) => {
      settle = () => {
        if (failure === undefined) resolve();
        else reject(failure);
      };
      start();
    });
  const fail = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error));
    settle();
  };
  /** Runs a callback: after one that throws, and once the walk is done, the parser is not asked for more. */
  const guarded = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      fail(error);
    }
  };

  tar.on('drain', () => {
    settle();
  });
  tar.on('finish', () => {
    settle();
  });
  tar.on('error', (error) => {
    fail(new OciError('LAYER_INVALID', `Cannot read a layer: ${error.message}`, { cause: error }));
  });
  tar.on('entry', (header, content, next) => {
    // The content of a file that is cut off fails too; what is wrong was said by then.
    content.on('error', () => undefined);
    const finish = (): void => {
      guarded(() => {
        isDone = options.isDone?.() === true;
        if (isDone) settle();
        else next(null);
      });
    };
    // Its types do not know where the content begins.
    contentEnd = (header as Header & { readonly byteOffset: number }).byteOffset + header.size;
    guarded(() => {
      const entry = readEntry(header, options.onBadName);
      if (entry !== undefined) options.onEntry?.(entry);
      const wanted = entry?.type === 'file' && options.wants(entry) ? entry : undefined;
      if (wanted !== undefined && wanted.sizeBytes > MAX_FILE_BYTES) {
        throw invalid(`${quoted(wanted.path)} has ${wanted.sizeBytes} bytes`);
      }
      if (header.size === 0 || header.type === 'directory') {
        // No bytes follow. Not asking the stream of content for them is what makes layers of many links fast.
        if (wanted !== undefined) options.onContent(wanted, Buffer.alloc(0));
        queueMicrotask(finish);
        return;
      }
      const parts: Buffer[] = [];
      if (wanted === undefined) content.resume();
      else content.on('data', (part) => parts.push(part as Buffer));
      content.on('end', () => {
        guarded(() => {
          const [only] = parts;
          if (wanted !== undefined)
            options.onContent(wanted, only !== undefined && parts.length === 1 ? only : Buffer.concat(parts));
          finish();
        });
      });
    });
  });

  return {
    write: (chunk) => until(() => tar.write(chunk)),
    end: () => until(() => tar.end(null)),
    isDone: () => {
      if (failure !== undefined) throw failure;
      return isDone;
    },
    contentEnd: () => contentEnd,
    close: () => {
      tar.destroy();
    },
  };
}

const TYPES: Readonly<Record<string, EntryType>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'hardlink',
  'character-device': 'character-device',
  'block-device': 'block-device',
  fifo: 'fifo',
};

const XATTR = 'SCHILY.xattr.';
const NO_XATTRS: readonly string[] = [];

function readEntry(header: Header, onBadName: WalkOptions['onBadName']): LayerEntry | undefined {
  if (onBadName === undefined) return toEntry(header);
  try {
    return toEntry(header);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    onBadName(header.name.slice(0, MAX_PATH_LENGTH), error.message.replace(/^Cannot read a layer: /, ''));
    return undefined;
  }
}

function toEntry(header: Header): LayerEntry {
  const type = TYPES[header.type] ?? 'other';
  // tar-stream's types do not say that this is null where there is no link.
  const linkName = (header.linkname as string | null) ?? '';
  const { pax, mtime } = header as Partial<Header> & { pax?: Readonly<Record<string, string>> | null };
  return {
    path: plainPath(header.name),
    type,
    sizeBytes: header.size,
    mode: header.mode & 0o7777,
    uid: header.uid,
    gid: header.gid,
    mtimeSeconds: Math.floor((mtime?.getTime() ?? 0) / 1000),
    xattrs:
      pax == null
        ? NO_XATTRS
        : Object.keys(pax)
            .filter((key) => key.startsWith(XATTR))
            .map((key) => key.slice(XATTR.length)),
    linkPath: type === 'hardlink' ? plainPath(linkName) : type === 'symlink' ? linkName : undefined,
  };
}

/** Names that may hold what has to go: all others are left alone, which is much faster. */
const NOT_PLAIN = /^\.{0,2}\/|^\.{1,2}$|\/[./]|\/$/;

export function plainPath(name: string): string {
  if (name.length > MAX_PATH_LENGTH) throw invalid(`the path ${quoted(name)}... is too long`);
  if (!NOT_PLAIN.test(name)) return name;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid(`the entry ${quoted(name)} leaves the root`);
  return parts.join('/');
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}

function invalid(why: string): OciError {
  return new OciError('LAYER_INVALID', `Cannot read a layer: ${why}`);
}
