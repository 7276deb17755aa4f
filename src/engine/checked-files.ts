import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CompileError, RegistryError } from '../errors.ts';
import { reasonOf, isFileFailure } from '../file-failure.ts';
import { type Digest, hexOf, makeHasher } from '../oci/digest.ts';
import { temporaryNameFor } from '../registry/atomic-file.ts';
import type { Web } from '../registry/web.ts';
import { withoutQuery } from '../without-credentials.ts';
import type { CheckedFile } from './sources.ts';

export interface CheckedFilesOptions {
  readonly web: Web;
  /** Where downloads are kept, by their digest. */
  readonly directory: string;
}

/**
 * Gets a file, and looks at every byte of it before anyone else does.
 *
 * @returns Path of the file itself, or of the copy that a download left in the cache.
 * @throws {CompileError} `CHECKSUM_MISMATCH` with both values, `SOURCE_UNREADABLE`.
 */
export async function fetchChecked(
  file: CheckedFile,
  { web, directory }: CheckedFilesOptions,
  signal: AbortSignal,
): Promise<string> {
  const { location, sha256 } = file;
  if (location.type === 'file') {
    const digest = await digestFile(location.path, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw unreadable(location.path, error, 'Check its path; relative paths start at the spec.');
    });
    if (digest !== sha256) throw mismatch(location.path, digest, sha256);
    return location.path;
  }
  const path = join(directory, hexOf(sha256));
  const kept = await digestFile(path, signal).catch(() => undefined);
  signal.throwIfAborted();
  if (kept === sha256) return path;
  const partial = temporaryNameFor(path);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const digest = await downloadTo(partial, location.url, web, signal);
    if (digest !== sha256) throw mismatch(withoutQuery(location.url), digest, sha256);
    await rename(partial, path);
    return path;
  } catch (error) {
    if (error instanceof CompileError) throw error;
    signal.throwIfAborted();
    const hint = error instanceof RegistryError ? error.hint : undefined;
    throw unreadable(withoutQuery(location.url), error, hint ?? 'Try the URL with curl.');
  } finally {
    await rm(partial, { force: true });
  }
}

/** Bytes that a download may have. */
const MAX_DOWNLOAD_BYTES = 4 * 1024 ** 3;
/** Times that a download which breaks off is begun again, and the wait before it in milliseconds. */
const ATTEMPTS = 4;
const WAIT_MS = 500;

/** @returns the digest of what was written. */
async function downloadTo(path: string, url: string, web: Web, signal: AbortSignal): Promise<Digest> {
  for (let attempt = 1; ; attempt++) {
    const body = await web.open({ url, what: withoutQuery(url), maxBytes: MAX_DOWNLOAD_BYTES, signal });
    if (body === undefined) {
      throw unreadable(withoutQuery(url), new Error('there is no such file'), 'Check the URL.');
    }
    try {
      return await write(path, body);
    } catch (error) {
      signal.throwIfAborted();
      const isBroken = error instanceof RegistryError && error.code === 'UNREACHABLE';
      if (!isBroken || attempt >= ATTEMPTS) throw error;
      await wait(WAIT_MS * attempt, undefined, { signal });
    }
  }
}

async function write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hasher = makeHasher();
  const file = await open(path, 'w', 0o600);
  try {
    for await (const chunk of chunks) {
      hasher.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  return hasher.digest();
}

async function digestFile(path: string, signal: AbortSignal): Promise<Digest> {
  const hasher = makeHasher();
  for await (const chunk of createReadStream(path, { signal })) hasher.update(chunk as Uint8Array);
  return hasher.digest();
}

function mismatch(name: string, found: Digest, wanted: Digest): CompileError {
  return new CompileError(
    'CHECKSUM_MISMATCH',
    `Cannot trust ${name}: its sha256 is ${hexOf(found)}, and the spec says ${hexOf(wanted)}`,
    {
      hint: 'Find out which of the two is right; when the file was replaced on purpose, write its new checksum.',
    },
  );
}

function unreadable(name: string, error: unknown, hint: string): CompileError {
  const reason = isFileFailure(error) ? (reasonOf(error) ?? 'it cannot be read') : messageOf(error);
  return new CompileError('SOURCE_UNREADABLE', `Cannot get ${name}: ${reason}`, { cause: error, hint });
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(
    /^Cannot read \S+(?: from \S+)?: /,
    '',
  );
}
