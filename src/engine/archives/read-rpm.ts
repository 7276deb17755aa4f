import { readFile } from 'node:fs/promises';
import { CompileError } from '../../errors.ts';
import { type CpioEntry, readCpio } from './cpio.ts';
import { damaged, unpackBytes } from './decompress.ts';
import { readRpmFacts, type RpmFacts } from './rpm.ts';
import { makeTreeWriter } from './tree-writer.ts';

export interface RpmRequest {
  readonly file: string;
  /** The package as the user knows it, for messages. */
  readonly name: string;
}

/** Files of a package. */
export interface RpmFiles {
  readonly facts: RpmFacts;
  /** By path, without a leading `/`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const KIND = 0o170000;
const [FILE, DIRECTORY, SYMLINK] = [0o100000, 0o040000, 0o120000];

/**
 * Takes files out of a binary package, without rpm: nothing of it is run.
 *
 * @param wants Says which files are kept, by path without a leading `/`.
 * @throws {CompileError} `ARCHIVE_INVALID`, `SOURCE_UNREADABLE` for a source package.
 */
export async function readRpm(request: RpmRequest, wants: (path: string) => boolean): Promise<RpmFiles> {
  const { facts, payload } = await openRpm(request);
  if (facts.isSource) {
    throw new CompileError(
      'SOURCE_UNREADABLE',
      `Cannot take modules out of ${request.name}: it is a source package`,
      {
        hint: 'Write it under "source.srpm", which builds it.',
      },
    );
  }
  const files = new Map<string, Uint8Array>();
  for (const { path, content } of regularFiles(payload, request.name)) {
    if (wants(path)) files.set(path, content);
  }
  return { facts, files };
}

/**
 * Unpacks a source package: its spec, tarballs and patches lie side by side in `to`.
 *
 * @throws {CompileError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`, `SOURCE_UNREADABLE` for a binary package.
 */
export async function unpackSrpm(request: RpmRequest & { readonly to: string }): Promise<void> {
  const { name, to } = request;
  const { facts, payload } = await openRpm(request);
  if (!facts.isSource) {
    throw new CompileError(
      'SOURCE_UNREADABLE',
      `Cannot build ${name}: it is a binary package for ${facts.arch}`,
      {
        hint: 'Write it under "source.rpm", which takes the modules out of it.',
      },
    );
  }
  const writer = makeTreeWriter(to, name);
  for (const { path, content } of regularFiles(payload, name)) {
    await writer.add({ path, type: 'file', sizeBytes: content.length, isProgram: false }, [content]);
  }
  await writer.finish('');
}

async function openRpm({ file, name }: RpmRequest): Promise<{ facts: RpmFacts; payload: Uint8Array }> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read ${name}`, { cause: error });
  });
  const facts = readRpmFacts(bytes, name);
  return { facts, payload: await unpackBytes(bytes.subarray(facts.payloadStart), name) };
}

/** Regular files. Of several names for one file, one comes with the bytes, and each is given them. */
export function* regularFiles(
  payload: Uint8Array,
  name: string,
): Generator<{ readonly path: string; readonly content: Uint8Array }> {
  const contents = new Map<number, Uint8Array>();
  const waiting: CpioEntry[] = [];
  for (const entry of readCpio(payload, name)) {
    const kind = entry.mode & KIND;
    if (kind !== FILE) {
      if (kind === DIRECTORY || kind === SYMLINK) continue;
      throw damaged(name, `${JSON.stringify(entry.path.slice(0, 200))} is a device`);
    }
    const isLinked = entry.links > 1;
    if (isLinked && entry.bytes.length === 0) waiting.push(entry);
    else {
      if (isLinked) contents.set(entry.inode, entry.bytes);
      yield { path: plain(entry.path), content: entry.bytes };
    }
  }
  for (const { path, inode } of waiting) {
    yield { path: plain(path), content: contents.get(inode) ?? new Uint8Array() };
  }
}

function plain(path: string): string {
  return path.replace(/^(?:\.?\/)+/, '');
}
