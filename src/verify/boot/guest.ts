import type { Emulator, GuestRun } from '../../engine/emulator.ts';
import type { Arch } from '../../oci/arch.ts';
import { type GuestConsole, LAST_WORDS, parseConsole } from './console.ts';
import { type InitramfsEntry, writeInitramfs } from '../../layer/initramfs/write-cpio.ts';
import { type Enrolment, enrolmentVariables } from './enrolment.ts';
import { writeVariableStore } from './efi-variables.ts';
import { INIT_SCRIPT } from './init.generated.ts';

/** One thing that the guest does; see `guest/init.sh`. */
export type GuestTask =
  | { readonly verb: 'modprobe'; readonly name: string }
  | {
      /** `insmod` leaves the module loaded, `try` takes it out again. */
      readonly verb: 'insmod' | 'try';
      readonly name: string;
      /** The module, not compressed. */
      readonly bytes: Uint8Array;
    };

export interface GuestOptions {
  readonly arch: Arch;
  readonly kernel: Uint8Array;
  /** What a root needs to run `guest/init.sh`: a shell, mount, kmod and their libraries; modules and indexes. */
  readonly root: readonly InitramfsEntry[];
  readonly tasks: readonly GuestTask[];
  /** Added to the kernel's command line. */
  readonly kernelArguments?: readonly string[] | undefined;
  /** Boots with Secure Boot. */
  readonly enrolment?: Omit<Enrolment, 'kernel'> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal;
}

/** What the guest's devices are called does not depend on a udev: the few that are used are in the initramfs. */
const DEVICES: readonly InitramfsEntry[] = [
  { path: 'dev/console', type: 'character-device', major: 5, minor: 1 },
  { path: 'dev/null', type: 'character-device', major: 1, minor: 3 },
  { path: 'dev/kmsg', type: 'character-device', major: 1, minor: 11 },
];

const DIRECTORIES: readonly InitramfsEntry[] = ['proc', 'sys', 'run', 'tmp'].map((path) => ({
  path,
  type: 'directory',
}));

/**
 * `initcall_debug`: the kernel tells of each init function that it calls, and what that returned.
 * `printk.devkmsg=on`: it takes all that the guest writes into its log. `no_timer_check`: an emulator on a busy machine
 * is too slow for the test of the timer's interrupt, and the kernel would panic; other architectures pass it over.
 */
const KERNEL_ARGUMENTS = [
  'loglevel=7',
  'printk.time=1',
  'printk.devkmsg=on',
  'initcall_debug',
  'no_timer_check',
];

/** Memory beside the initramfs, which is there twice while it is unpacked. */
const BASE_MEMORY_MIB = 768;
/** Machines of POWER have memory in such pieces. */
const MEMORY_STEP_MIB = 256;

/** The archive that a guest boots with: equal for equal options. */
export function makeGuestInitramfs({ root, tasks }: Pick<GuestOptions, 'root' | 'tasks'>): Buffer {
  const files = tasks.flatMap((task, index): InitramfsEntry[] =>
    task.verb === 'modprobe' ? [] : [{ path: fileOf(index), type: 'file', bytes: task.bytes }],
  );
  const steps = tasks.map((task, index) =>
    [task.verb, task.name, ...(task.verb === 'modprobe' ? [] : [`/${fileOf(index)}`])].join(' '),
  );
  return writeInitramfs([
    ...DEVICES,
    ...DIRECTORIES,
    ...root,
    ...files,
    { path: 'kmodlayer/steps', type: 'file', bytes: Buffer.from(steps.map((step) => `${step}\n`).join('')) },
    { path: 'init', type: 'file', bytes: Buffer.from(INIT_SCRIPT), mode: 0o755 },
  ]);
}

/**
 * Boots a guest that goes through its tasks.
 *
 * @throws {BootError} as `Emulator.boot` does.
 */
export async function runGuest(
  options: GuestOptions & { readonly initramfs: Uint8Array },
  emulator: Emulator,
): Promise<GuestRun & { readonly seen: GuestConsole }> {
  const { arch, kernel, initramfs, kernelArguments = [], enrolment, timeoutMs, signal } = options;
  const run = await emulator.boot({
    arch,
    kernel,
    initramfs,
    kernelArguments: [...KERNEL_ARGUMENTS, ...kernelArguments],
    memoryMiB: memoryFor(initramfs.length),
    lastWords: LAST_WORDS,
    makeVariables:
      enrolment === undefined
        ? undefined
        : (store) => writeVariableStore(store, enrolmentVariables({ ...enrolment, kernel })),
    timeoutMs,
    signal,
  });
  return { ...run, seen: parseConsole(run.console) };
}

function memoryFor(initramfsBytes: number): number {
  const wanted = BASE_MEMORY_MIB + (2 * initramfsBytes) / 1024 ** 2;
  return MEMORY_STEP_MIB * Math.ceil(wanted / MEMORY_STEP_MIB);
}

/** Names that a task's module has in the guest: ours, so that no name of a file can be anything else than a name. */
function fileOf(index: number): string {
  return `kmodlayer/${index + 1}.ko`;
}
