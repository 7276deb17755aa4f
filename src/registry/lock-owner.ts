import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Who holds a lock, as its file says. */
export interface LockOwner {
  /** Machine, and on Linux the boot and the namespace of processes: pids of others mean nothing here. */
  readonly machine: string;
  readonly pid: number;
  /** When the process began, as the kernel counts; empty where that cannot be told. A pid may be given out again. */
  readonly startedAt: string;
  /** Tells this lock from every other one. */
  readonly nonce: string;
}

/** The owner that this process is, but for the nonce. */
export async function thisProcess(): Promise<Omit<LockOwner, 'nonce'>> {
  return {
    machine: await thisMachine(),
    pid: process.pid,
    startedAt: (await stateOf(process.pid)).startedAt,
  };
}

/** Says whether the owner of a lock still runs; undefined when it is of a machine that cannot be asked. */
export async function isAlive(owner: LockOwner): Promise<boolean | undefined> {
  if (owner.machine !== (await thisMachine())) return undefined;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const { startedAt, isZombie } = await stateOf(owner.pid);
  return owner.startedAt === startedAt && !isZombie;
}

/** Reads the content of a lock file; undefined for anything but an owner. */
export function parseOwner(text: string): LockOwner | undefined {
  try {
    const { machine, pid, startedAt, nonce } = JSON.parse(text) as Partial<Record<keyof LockOwner, unknown>>;
    const isOwner = typeof machine === 'string' && typeof startedAt === 'string' && typeof nonce === 'string';
    if (!isOwner || !Number.isSafeInteger(pid) || Number(pid) <= 0) return undefined;
    return { machine, pid: Number(pid), startedAt, nonce };
  } catch {
    return undefined;
  }
}

async function thisMachine(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const processes = await readlink('/proc/self/ns/pid').catch(() => '');
  return [hostname(), boot.trim(), processes].join(' ').trim();
}

/** Fields 3 and 22 of proc_pid_stat(5); the name before them, in parentheses, may hold anything. */
async function stateOf(pid: number): Promise<{ readonly startedAt: string; readonly isZombie: boolean }> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { startedAt: fields[19] ?? '', isZombie: fields[0] === 'Z' };
}
