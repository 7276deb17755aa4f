import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { decompressModule } from '../../src/kmod/compression.ts';
import { type ReaderThread, startThread } from './thread.ts';

/** Reads and unpacks modules beside the thread that looks at them. */
export interface ReaderPool {
  /**
   * Bytes of a module, unpacked.
   *
   * @throws {ModuleError} as `decompressModule` does; errors of the file system.
   */
  read(file: string): Promise<Uint8Array>;
  /** Starts with files that will be read first, while the thread that asks has other things to do. */
  readonly expect: (files: readonly string[]) => void;
  /** How many threads do it now; none: the one that asks does. */
  readonly countThreads: () => number;
  /** Ends the threads. */
  close(): Promise<void>;
}

export interface ReaderPoolOptions {
  readonly threads?: number;
  /** The built worker. */
  readonly workerFile?: string | undefined;
}

/** More threads than this only wait for the one that looks at what they read. */
const MAX_THREADS = 4;

/**
 * Starts threads that read modules. Where they cannot be started, as when the sources run as they are or node permits no
 * threads, and where one ends before its time, the thread that asks does it.
 */
export function openReaderPool({
  threads = Math.min(availableParallelism(), MAX_THREADS),
  workerFile = findWorker(),
}: ReaderPoolOptions = {}): ReaderPool {
  const all: ReaderThread[] = [];
  for (let count = 0; count < threads && workerFile !== undefined; count++) {
    const thread = startThread(workerFile);
    if (thread === undefined) break;
    all.push(thread);
  }
  const running = (): ReaderThread[] => all.filter((thread) => thread.isRunning());
  const expected = new Map<string, Promise<Uint8Array | undefined>>();
  const ask = async (file: string): Promise<Uint8Array | undefined> => {
    const [least] = running().sort((left, right) => left.countJobs() - right.countJobs());
    return least?.read(file);
  };
  return {
    read: async (file) => {
      const asked = expected.get(file) ?? ask(file);
      expected.delete(file);
      return (await asked) ?? decompressModule(await readFile(file));
    },
    expect: (files) => {
      for (const file of running().length === 0 ? [] : files) expected.set(file, ask(file));
    },
    countThreads: () => running().length,
    close: async () => {
      await Promise.all(all.map((thread) => thread.stop()));
    },
  };
}

/** The built worker, as seen from the built command, from one of its chunks, and from the place of this file. */
function findWorker(): string | undefined {
  return ['./module-reader/worker.js', '../module-reader/worker.js', './worker.js']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((file) => existsSync(file));
}
