import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CliContext } from '../../cli/context.ts';
import { run } from '../../cli/run.ts';

/** What a command did. */
export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunCliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly isTty?: boolean;
  readonly stdin?: string;
}

/** A context that keeps what is written. */
export function contextOf(options: RunCliOptions = {}): {
  readonly context: CliContext;
  readonly written: { stdout: string; stderr: string };
} {
  const written = { stdout: '', stderr: '' };
  const isTty = options.isTty ?? false;
  const context: CliContext = {
    stdout: { write: (text) => void (written.stdout += text), isTty },
    stderr: { write: (text) => void (written.stderr += text), isTty },
    readStdin: () => Promise.resolve(Buffer.from(options.stdin ?? '')),
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    signal: options.signal ?? new AbortController().signal,
    cleanups: new Set(),
  };
  return { context, written };
}

/** Runs a command in this process, with a home directory of its own that is empty. */
export async function runCli(argv: readonly string[], options: RunCliOptions = {}): Promise<CliRun> {
  const home = await mkdtemp(join(tmpdir(), 'kmodlayer-home-'));
  try {
    const env = { PATH: process.env['PATH'], HOME: home, ...options.env };
    const { context, written } = contextOf({ ...options, env });
    const exitCode = await run(argv, context);
    return { exitCode, ...written };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
