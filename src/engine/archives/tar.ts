import { extract, type Header } from 'tar-stream';
import { CompileError } from '../../errors.ts';
import { isFileFailure } from '../../file-failure.ts';
import type { ArchiveEntry } from './entry-tree.ts';
import { damaged } from './decompress.ts';
import type { TreeWriter } from './tree-writer.ts';

const TYPES: Readonly<Record<string, ArchiveEntry['type']>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'hardlink',
};

/**
 * Writes what is in a tar.
 *
 * @param name The archive, for messages.
 * @throws {CompileError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`.
 */
export async function unpackTar(
  chunks: AsyncIterable<Uint8Array>,
  { writer, name }: { readonly writer: TreeWriter; readonly name: string },
): Promise<void> {
  // Its types do not know the option: tars from before POSIX have no magic, and a checksum like all others.
  const options: object = { allowUnknownFormat: true };
  const tar = extract(options);
  let failure: Error | undefined;
  const feeding = (async () => {
    try {
      for await (const chunk of chunks) {
        if (tar.destroyed) return;
        if (!tar.write(chunk)) await roomIn(tar);
      }
      tar.end(null);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      tar.destroy(failure);
    }
  })();
  let entries = 0;
  try {
    for await (const entry of tar) {
      const { header } = entry;
      entries += 1;
      await writer.add(entryOf(header), entry as AsyncIterable<Uint8Array>);
      entry.resume();
    }
  } catch (error) {
    if (failure !== undefined) throw failure;
    if (error instanceof CompileError || isFileFailure(error)) throw error;
    throw damaged(name, error instanceof Error ? error.message.toLowerCase() : String(error), error);
  } finally {
    tar.destroy();
    await feeding;
  }
  if (entries === 0) throw damaged(name, 'it is no tar, or an empty one');
}

function entryOf(header: Header): ArchiveEntry {
  // tar-stream's types do not say that this is null where there is no link.
  const target = (header.linkname as string | null) ?? undefined;
  return {
    path: header.name,
    type: TYPES[header.type] ?? 'other',
    sizeBytes: header.size,
    isProgram: (header.mode & 0o100) !== 0,
    target,
  };
}

function roomIn(tar: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close']) tar.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close']) tar.on(event, done);
  });
}
