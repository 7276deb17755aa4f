import type { Report } from '../src/events.ts';
import type { Io } from '../src/io.ts';
import { makeIo, type IoFlags } from './make-io.ts';

/** Where a program that uses kmodlayer as a library differs from the process that it runs in. */
export interface NodeIoOptions extends Omit<IoFlags, 'quiet' | 'verbose'> {
  /** Directory that relative paths start at. Default: that of the process. */
  readonly cwd?: string;
  /** Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Receives progress and warnings. Default: nobody. */
  readonly report?: Report;
  /** Ends work early. Default: never. */
  readonly signal?: AbortSignal;
}

/**
 * The outside world for a program that uses kmodlayer as a library: registries, files, cache and container engine of
 * this machine, with the same options as the command line.
 *
 * @throws {KmodError} for mirror files that cannot be read.
 */
export async function makeNodeIo(options: NodeIoOptions = {}): Promise<Io> {
  const {
    cwd = process.cwd(),
    env = process.env,
    signal = new AbortController().signal,
    report = () => undefined,
  } = options;
  const cleanups = new Set<() => void>();
  process.once('exit', () => {
    for (const cleanUp of cleanups) cleanUp();
  });
  const nowhere = { write: () => undefined, isTty: false };
  const readStdin = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array());
  const context = { stdout: nowhere, stderr: nowhere, readStdin, env, cwd, signal, cleanups };
  return makeIo(context, options, report);
}
