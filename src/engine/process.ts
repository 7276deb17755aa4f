import { StringDecoder } from 'node:string_decoder';

/** A program to run. No shell reads its arguments: each arrives as it is. */
export interface ProcessRequest {
  readonly program: string;
  readonly args: readonly string[];
  /** Variables on top of this process's own; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly directory?: string;
  /** Ends the program and all that it started when aborted. */
  readonly signal: AbortSignal;
  /** Called with each line of both outputs as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface ProcessResult {
  /** Undefined when a signal ended the program. 127 when there is no such program. */
  readonly exitCode: number | undefined;
  /** First `OUTPUT_LIMIT` characters of the standard output. */
  readonly output: string;
  /** Last lines of both outputs, oldest first. */
  readonly tail: readonly string[];
}

const OUTPUT_LIMIT = 16 * 1024 * 1024;
const TAIL_LINES = 200;
const LINE_LIMIT = 16 * 1024;
/** Between asking a process group to end and ending it, in milliseconds. */
const GRACE_MS = 3000;

/**
 * Runs a program to its end, whatever its exit code, in a process group of its own.
 *
 * @throws the reason of `signal` when it was aborted, after the whole group is gone.
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  const { $ } = await import('zx/core');
  request.signal.throwIfAborted();
  const tail: string[] = [];
  let output = '';
  const take = (line: string): void => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    request.onLine?.(line);
  };
  const outLines = makeLineSplitter(take);
  const errorLines = makeLineSplitter(take);

  const run = $({
    shell: '/bin/sh',
    prefix: 'exec ',
    quote: quoteWord,
    detached: true,
    nothrow: true,
    quiet: true,
    verbose: false,
    env: environment(request.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    store: { stdout: nothingKept(), stderr: nothingKept(), stdall: nothingKept() },
    ...(request.directory === undefined ? {} : { cwd: request.directory }),
  })`${[request.program, ...request.args]}`;
  const outDecoder = new StringDecoder('utf8');
  const errorDecoder = new StringDecoder('utf8');
  run.stdout.on('data', (chunk: Buffer) => {
    const text = outDecoder.write(chunk);
    if (output.length < OUTPUT_LIMIT) output += text.slice(0, OUTPUT_LIMIT - output.length);
    outLines.write(text);
  });
  run.stderr.on('data', (chunk: Buffer) => {
    errorLines.write(errorDecoder.write(chunk));
  });

  const ended = await endOnAbort(run, run.pid, request.signal);
  outLines.end();
  errorLines.end();
  request.signal.throwIfAborted();
  return { exitCode: ended.exitCode ?? undefined, output, tail };
}

/** Waits for a process; when aborted, ends its group first and waits until all of it is gone. */
export async function endOnAbort<T>(
  ended: PromiseLike<T>,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<T> {
  const onAbort = (): void => {
    if (pid === undefined) return;
    signalGroup(pid, 'SIGTERM');
    setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS).unref();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const result = await ended;
    if (signal.aborted && pid !== undefined) await groupIsGone(pid);
    return result;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The first process may end before those that it started. */
async function groupIsGone(pid: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < 2 * GRACE_MS; waitedMs += 50) {
    if (!signalGroup(pid, waitedMs < GRACE_MS ? 0 : 'SIGKILL')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Returns false when nothing of the group is left. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** A word that `/bin/sh` hands on unchanged; the one place where a shell is spoken to. */
export function quoteWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function environment(changes: ProcessRequest['env'] = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) Reflect.deleteProperty(env, name);
    else env[name] = value;
  }
  return env;
}

/** zx keeps all output in arrays; a compile may print for hours, so it gets arrays that stay empty. */
function nothingKept(): string[] {
  const chunks: string[] = [];
  chunks.push = () => 0;
  return chunks;
}

export interface LineSplitter {
  write(text: string): void;
  end(): void;
}

/** Cuts text into lines at `\n`, `\r\n` and `\r`; a line that does not end is cut at a limit. */
export function makeLineSplitter(onLine: (line: string) => void): LineSplitter {
  let rest = '';
  return {
    write(text) {
      const lines = (rest + text).split(/\r?\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line.slice(0, LINE_LIMIT));
      if (rest.length > LINE_LIMIT) {
        onLine(rest.slice(0, LINE_LIMIT));
        rest = '';
      }
    },
    end() {
      if (rest !== '') onLine(rest.replace(/\r$/, ''));
      rest = '';
    },
  };
}
