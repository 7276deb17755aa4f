import { spawn } from 'node:child_process';
import { mkdir, open, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Io } from '../io.ts';
import { endOnAbort, makeLineSplitter } from './process.ts';

/** A program that takes bytes and gives bytes, such as a signer. No shell reads its arguments. */
export interface ProgramRequest {
  readonly program: string;
  readonly args: readonly string[];
  /** Directory that it runs in. */
  readonly directory: string;
  /** Its standard input; empty when absent. */
  readonly input?: Uint8Array;
  /** Variables on top of this command's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Files that it can read while it runs, each at the path that a variable of this name holds. */
  readonly files?: Readonly<Record<string, { readonly name: string; readonly bytes: Uint8Array }>>;
  /** The program and all that it started is ended after this time. */
  readonly timeoutMs: number;
  /** Called with each line that it prints to standard error, as it comes. */
  readonly onErrorLine?: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface ProgramResult {
  /** `missing`: there is no such program, or it may not be run. */
  readonly outcome: 'ended' | 'missing' | 'timed-out';
  /** Undefined when a signal ended the program, or it never ran. */
  readonly exitCode: number | undefined;
  /** Its standard output, up to one byte more than `MAX_PROGRAM_OUTPUT_BYTES`. */
  readonly output: Buffer;
  /** Last lines of standard error, oldest first. */
  readonly errorTail: readonly string[];
}

/** More than any signature has. */
export const MAX_PROGRAM_OUTPUT_BYTES = 1024 ** 2;
const TAIL_LINES = 20;

/**
 * Runs programs in process groups of their own, without a terminal. Standard input and output are files, not the sockets
 * that Node would make: those cannot be opened as `/dev/stdin` and `/dev/stdout`, which is what many scripts do.
 */
export function makeRunProgram({
  env,
  withTemporaryDirectory,
}: Pick<Io, 'env' | 'withTemporaryDirectory'>): Io['runProgram'] {
  return async (request) => {
    request.signal.throwIfAborted();
    return withTemporaryDirectory(async (directory) => {
      const paths: Record<string, string> = {};
      await mkdir(join(directory, 'files'), { mode: 0o700 });
      for (const [variable, { name, bytes }] of Object.entries(request.files ?? {})) {
        const path = join(directory, 'files', name);
        await writeFile(path, bytes, { mode: 0o600 });
        paths[variable] = path;
      }
      const [inputFile, outputFile] = [join(directory, 'stdin'), join(directory, 'stdout')];
      await writeFile(inputFile, request.input ?? '', { mode: 0o600 });
      const input = await open(inputFile, 'r');
      const output = await open(outputFile, 'ax+', 0o600);
      try {
        const stdio = [input.fd, output.fd, 'pipe'] as const;
        const ended = await runIn(request, { env: { ...env, ...request.env, ...paths }, stdio });
        return { ...ended, output: await readStart(output) };
      } finally {
        await Promise.all([input.close(), output.close()]);
      }
    });
  };
}

async function readStart(file: FileHandle): Promise<Buffer> {
  const bytes = Buffer.alloc(MAX_PROGRAM_OUTPUT_BYTES + 1);
  let length = 0;
  for (let isMore = true; isMore && length < bytes.length;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    length += bytesRead;
    isMore = bytesRead > 0;
  }
  return bytes.subarray(0, length);
}

async function runIn(
  request: ProgramRequest,
  { env, stdio }: { readonly env: Io['env']; readonly stdio: readonly [number, number, 'pipe'] },
): Promise<Omit<ProgramResult, 'output'>> {
  const errorTail: string[] = [];
  const errorLines = makeLineSplitter((line) => {
    errorTail.push(line);
    if (errorTail.length > TAIL_LINES) errorTail.shift();
    request.onErrorLine?.(line);
  });
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort();
  }, request.timeoutMs);
  try {
    const child = spawn(request.program, request.args, {
      cwd: request.directory,
      env: { ...env },
      stdio: [...stdio],
      detached: true,
      shell: false,
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errorLines.write(text);
    });
    const ended = new Promise<number | undefined>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exitCode) => {
        resolve(exitCode ?? undefined);
      });
    });
    const exitCode = await endOnAbort(ended, child.pid, AbortSignal.any([request.signal, timeout.signal]));
    errorLines.end();
    request.signal.throwIfAborted();
    return { outcome: timeout.signal.aborted ? 'timed-out' : 'ended', exitCode, errorTail };
  } catch (error) {
    if (!isNotRunnable(error)) throw error;
    return { outcome: 'missing', exitCode: undefined, errorTail: [error.message] };
  } finally {
    clearTimeout(timer);
  }
}

function isNotRunnable(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'code' in error &&
    ['ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR'].includes(String(error.code))
  );
}
