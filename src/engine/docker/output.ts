import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { CompileError } from '../../errors.ts';
import { makeAllowance } from '../copy-files.ts';
import type { Api } from './api.ts';
import { failureOfRequest } from './failure.ts';

export interface OutputRequest {
  readonly image: string;
  readonly directory: string;
  readonly signal: AbortSignal;
}

/**
 * Copies regular files out of `/output` of an image, by a container that is never started.
 *
 * @throws {CompileError} `COMPILE_FAILED` when there are too many files or bytes, `ENGINE_FAILED`.
 */
export async function copyFilesOut(api: Api, { image, directory, signal }: OutputRequest): Promise<void> {
  const container = await api.docker
    .createContainer({ Image: image, Cmd: ['/none'], HostConfig: { NetworkMode: 'none' } })
    .catch((error: unknown) => {
      throw failureOfRequest('read what the build left', error, api.name);
    });
  try {
    const archive = await container.getArchive({ path: '/output', abortSignal: signal });
    await unpackRegularFiles(archive, directory);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CompileError) throw error;
    throw failureOfRequest('read what the build left', error, api.name);
  } finally {
    await container.remove({ force: true, v: true });
  }
}

/** Writes the regular files below `output/` of a tar; links and devices are left out, and nothing leaves the directory. */
export async function unpackRegularFiles(archive: Readable, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const allowance = makeAllowance();
  const extract = tar.extract();
  const unpacking = pipeline(archive, extract);
  unpacking.catch(() => undefined);
  for await (const entry of extract) {
    const path = pathBelow(entry.header.name);
    if (path === undefined || entry.header.type !== 'file') {
      entry.resume();
      continue;
    }
    allowance.take(entry.header.size);
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    await pipeline(entry, createWriteStream(target));
  }
  await unpacking;
}

function pathBelow(name: string): string | undefined {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts[0] !== 'output' || parts.length < 2 || parts.includes('..') || name.includes('\0'))
    return undefined;
  return parts.slice(1).join('/');
}
