import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { GuestRun } from '../../src/engine/emulator.ts';
import { findQemu } from '../../src/engine/qemu.ts';
import { makeThrowAwayKey } from '../../src/sign/throw-away-key.ts';
import type { LoadOutcome } from '../../src/verify/boot/boot-report.ts';
import type { GuestConsole } from '../../src/verify/boot/console.ts';
import type { InitramfsEntry } from '../../src/layer/initramfs/write-cpio.ts';
import type { EnrolPlace } from '../../src/verify/boot/enrolment.ts';
import { type GuestTask, makeGuestInitramfs, runGuest } from '../../src/verify/boot/guest.ts';
import { judgeStep } from '../../src/verify/boot/outcome.ts';
import { withTemporaryDirectory } from './io.ts';
import { worldDirectory } from './world.ts';

/** A module to load, not compressed. */
export interface ModuleToLoad {
  /** Its name in the kernel. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Leave it loaded, for modules after it that import from it. Default: it is taken out again when it was loaded. */
  readonly stays?: boolean;
}

export interface BootManyOptions {
  /** A kernel of `.world/kernels` or, for real time, `.world/kernels-rt`: for instance `6.1.0-56-amd64`. */
  readonly kernelRelease: string;
  readonly modules: readonly ModuleToLoad[];
  /** Boot with Secure Boot and these certificates (DER) in `db` or in shim's list. */
  readonly secureBoot?: { readonly certificates: readonly Uint8Array[]; readonly place: EnrolPlace };
  readonly timeoutMs?: number;
}

export interface BootManyResult {
  /** One for each module, in the same order. */
  readonly loads: readonly {
    readonly name: string;
    readonly outcome: LoadOutcome;
    /** Exit code of `insmod`. */
    readonly exitCode: number | undefined;
    /** What insmod and then the kernel said. */
    readonly messages: readonly string[];
  }[];
  readonly run: GuestRun & { readonly seen: GuestConsole };
}

/**
 * Loads many modules one after the other with `insmod` in one boot of one of the world's kernels.
 *
 * @throws {Error} With the console's text when the guest does not come to its end.
 */
export async function bootMany(options: BootManyOptions): Promise<BootManyResult> {
  const { kernelRelease, modules, secureBoot, timeoutMs } = options;
  const tasks = modules.map(({ name, bytes, stays }): GuestTask => ({
    verb: stays === true ? 'insmod' : 'try',
    name: name.replaceAll('-', '_'),
    bytes,
  }));
  const root = hostUserland();
  const { signal } = new AbortController();
  const io = {
    env: process.env,
    withTemporaryDirectory,
    report: () => undefined,
    signal,
  };
  const { certificate: owner } = await makeThrowAwayKey('Owner of a test machine', new Date());
  const run = await runGuest(
    {
      arch: 'x86_64',
      kernel: readFileSync(kernelFile(kernelRelease)),
      root,
      tasks,
      initramfs: makeGuestInitramfs({ root, tasks }),
      enrolment: secureBoot === undefined ? undefined : { ...secureBoot, owner },
      timeoutMs,
      signal,
    },
    await findQemu('x86_64', io),
  );
  if (!run.seen.isComplete)
    throw new Error(`The guest did not come to its end (${run.end}):\n${run.seen.text}`);
  const loads = modules.map(({ name }, index) => {
    const step = run.seen.steps.get(index + 1);
    return { name, exitCode: step?.exitCode, ...judgeStep(step, name) };
  });
  return { loads, run };
}

function kernelFile(kernelRelease: string): string {
  const kind = kernelRelease.includes('-rt-') ? 'kernels-rt' : 'kernels';
  return join(worldDirectory(), kind, kernelRelease, 'boot', `vmlinuz-${kernelRelease}`);
}

/** busybox for the shell and mount, and kmod with its libraries: those of this machine. */
function hostUserland(): readonly InitramfsEntry[] {
  const file = (path: string, from: string): InitramfsEntry => ({
    path,
    type: 'file',
    mode: 0o755,
    bytes: readFileSync(realpathSync(from)),
  });
  const kmod = ['/usr/bin/kmod', '/bin/kmod'].find((path) => existsSync(path)) ?? '/usr/bin/kmod';
  const libraries = [...execFileSync('ldd', [kmod], { encoding: 'utf8' }).matchAll(/\/\S+\.so\S*/g)];
  return [
    ...['bin/sh', 'bin/mount', 'bin/cat'].map((path) => file(path, '/bin/busybox')),
    ...['bin/insmod', 'bin/rmmod', 'bin/lsmod', 'bin/modprobe'].map((path) => file(path, kmod)),
    ...libraries.map(([library]) => file(library.slice(1), library)),
  ];
}
