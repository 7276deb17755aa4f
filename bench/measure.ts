import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One command as it ran once. */
export interface Sample {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Peak of the largest process of the command. */
  readonly rssBytes: number;
  /** Bytes that came from, and went to, the registry, headers and acknowledgements included. */
  readonly fromRegistryBytes: number;
  readonly toRegistryBytes: number;
  /** Disk that the command left behind. */
  readonly diskBytes: number;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Bytes that passed the registry's door so far: from it, and to it. */
export type Counter = () => { readonly fromBytes: number; readonly toBytes: number };

/**
 * Runs commands one after the other and measures them as one step.
 *
 * @param disk Path on the file system whose use is measured.
 */
export function measure(
  commands: readonly Command[],
  { counter, disk }: { counter?: Counter; disk: string },
): Sample {
  const directory = mkdtempSync(join(tmpdir(), 'kmodlayer-measure-'));
  try {
    const freeBefore = freeBytes(disk);
    const before = counter?.();
    let sample = { wallMs: 0, cpuMs: 0, rssBytes: 0 };
    for (const command of commands) {
      const one = runOnce(command, join(directory, 'time'));
      sample = {
        wallMs: sample.wallMs + one.wallMs,
        cpuMs: sample.cpuMs + one.cpuMs,
        rssBytes: Math.max(sample.rssBytes, one.rssBytes),
      };
    }
    const after = counter?.();
    return {
      ...sample,
      fromRegistryBytes: after && before ? after.fromBytes - before.fromBytes : 0,
      toRegistryBytes: after && before ? after.toBytes - before.toBytes : 0,
      diskBytes: Math.max(0, freeBefore - freeBytes(disk)),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The middle of several samples, each field by itself. */
export function median(samples: readonly Sample[]): Sample {
  const middle = (field: keyof Sample): number => {
    const sorted = samples.map((sample) => sample[field]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  };
  return {
    wallMs: middle('wallMs'),
    cpuMs: middle('cpuMs'),
    rssBytes: middle('rssBytes'),
    fromRegistryBytes: middle('fromRegistryBytes'),
    toRegistryBytes: middle('toRegistryBytes'),
    diskBytes: middle('diskBytes'),
  };
}

function runOnce(
  { argv, env, cwd }: Command,
  timeFile: string,
): Pick<Sample, 'wallMs' | 'cpuMs' | 'rssBytes'> {
  const start = process.hrtime.bigint();
  const { status, stdout, stderr } = spawnSync('/usr/bin/time', ['-o', timeFile, '-f', '%M %U %S', ...argv], {
    env: { ...process.env, ...env },
    cwd,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 ** 2,
  });
  const wallMs = Number(process.hrtime.bigint() - start) / 1e6;
  if (status !== 0) {
    throw new Error(
      `${argv.join(' ')} exited with ${String(status)}\n${stdout.slice(-2000)}\n${stderr.slice(-4000)}`,
    );
  }
  const [rssKib = 0, user = 0, system = 0] = (readFileSync(timeFile, 'utf8').trim().split('\n').at(-1) ?? '')
    .split(' ')
    .map(Number);
  return { wallMs, cpuMs: (user + system) * 1000, rssBytes: rssKib * 1024 };
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
