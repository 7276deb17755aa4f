import { constants } from 'node:fs';
import { access, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BootError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Arch } from '../oci/arch.ts';
import type { Accelerator, Emulator, Guest, GuestRun } from './emulator.ts';
import { type Firmware, findFirmware, readEmptyStore } from './firmware.ts';
import { FILES, firmwareArguments, MACHINES } from './machines.ts';
import { runProcess } from './process.ts';

type QemuIo = Pick<Io, 'env' | 'withTemporaryDirectory' | 'report'>;

/** Time budgets when nobody says otherwise, in milliseconds. */
const TIMEOUTS: Readonly<Record<Accelerator, number>> = { kvm: 60_000, tcg: 300_000 };
/** A guest under KVM that has not said a word after this time never will. */
const SILENCE_MS = 10_000;
/** How long a guest that is done may take to power off. */
const FAREWELL_MS = 3_000;
const POLL_MS = 50;
/** Last words are looked for in so many bytes at the end of the console: what a kernel says while it powers off. */
const TAIL_BYTES = 4096;
const MAX_CONSOLE_BYTES = 16 * 1024 ** 2;

/**
 * QEMU for an architecture.
 *
 * @throws {BootError} `EMULATOR_MISSING` when there is none.
 */
export async function findQemu(arch: Arch, io: QemuIo & Pick<Io, 'signal'>): Promise<Emulator> {
  const { program, version } = await findQemuProgram(arch, io);
  return {
    version,
    findFirmware: async () => (await findFirmware(io.env)).code,
    boot: (guest) => boot(program, guest, io),
  };
}

/**
 * The program that is QEMU for an architecture: `KMODLAYER_QEMU`, or what distributions call it.
 *
 * @throws {BootError} `EMULATOR_MISSING` when there is none.
 */
export async function findQemuProgram(
  arch: Arch,
  { env, signal }: Pick<Io, 'env' | 'signal'>,
): Promise<{ readonly program: string; readonly version: string }> {
  const named = env['KMODLAYER_QEMU'] ?? MACHINES[arch].program;
  // It runs in a directory of its own, where a relative path leads elsewhere.
  const program = named.includes('/') ? resolve(named) : named;
  const { exitCode, output } = await runProcess({ program, args: ['--version'], signal });
  const [version] = /^QEMU emulator version [\w.-]+/.exec(output) ?? [];
  if (exitCode === 0 && version !== undefined) return { program, version };
  throw new BootError(
    'EMULATOR_MISSING',
    `Cannot boot a kernel for ${arch}: ${program} ${exitCode === 127 ? 'is not there' : 'is no QEMU'}`,
    { hint: INSTALL_HINTS[arch] },
  );
}

const INSTALL_HINTS: Readonly<Record<Arch, string>> = {
  x86_64: hintFor('qemu-system-x86', 'qemu-system-x86'),
  aarch64: hintFor('qemu-system-aarch64', 'qemu-system-arm'),
  ppc64le: hintFor('qemu-system-ppc', 'qemu-system-ppc'),
  s390x: hintFor('qemu-system-s390x', 'qemu-system-misc'),
};

function hintFor(fedora: string, debian: string): string {
  return `Install "${fedora}" (Fedora), "qemu-kvm" (RHEL; set KMODLAYER_QEMU=/usr/libexec/qemu-kvm) or "${debian}" (Debian, Ubuntu).`;
}

/** With KVM where that works, without it otherwise. */
async function boot(program: string, guest: Guest, io: QemuIo): Promise<GuestRun> {
  const firmware = guest.makeVariables === undefined ? undefined : await findFirmware(io.env);
  return io.withTemporaryDirectory(async (directory) => {
    await writeFile(join(directory, FILES.kernel), guest.kernel);
    await writeFile(join(directory, FILES.initramfs), guest.initramfs);
    const run = (accelerator: Accelerator): Promise<Attempt> =>
      attempt({ program, directory, accelerator, guest, firmware });
    if (await mayUseKvm(guest.arch, io.env)) {
      const { run: seen, tail } = await run('kvm');
      if (seen.console.byteLength > 0) return seen;
      const why = tail.at(-1) ?? 'the guest said nothing';
      io.report({ type: 'detail', message: `KVM does not work here (${why}): booting without it` });
    }
    const { run: seen, tail } = await run('tcg');
    if (seen.console.byteLength > 0 || seen.end === 'timeout') return seen;
    throw new BootError('EMULATOR_FAILED', `Cannot boot: ${program} did not start the machine`, {
      hint: tail.slice(-3).join(' ') || undefined,
    });
  });
}

/** `KMODLAYER_ACCELERATOR` says `kvm` or `tcg`; otherwise KVM is tried when its device can be opened. */
async function mayUseKvm(arch: Arch, env: Io['env']): Promise<boolean> {
  const wish = env['KMODLAYER_ACCELERATOR'];
  if (wish !== undefined) return wish === 'kvm';
  if (!isNative(arch)) return false;
  return access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

const NODE_ARCHES: Readonly<Record<Arch, string>> = {
  x86_64: 'x64',
  aarch64: 'arm64',
  ppc64le: 'ppc64',
  s390x: 's390x',
};

function isNative(arch: Arch): boolean {
  return process.arch === NODE_ARCHES[arch];
}

interface AttemptOptions {
  readonly program: string;
  /** Holds the files that the machine reads, and where it writes its console. */
  readonly directory: string;
  readonly accelerator: Accelerator;
  readonly guest: Guest;
  readonly firmware: Firmware | undefined;
}

interface Attempt {
  readonly run: GuestRun;
  /** Last lines that the emulator itself printed. */
  readonly tail: readonly string[];
}

async function attempt(options: AttemptOptions): Promise<Attempt> {
  const { program, directory, accelerator, guest, firmware } = options;
  const timeoutMs = guest.timeoutMs ?? TIMEOUTS[accelerator];
  const consoleFile = join(directory, FILES.console);
  await writeFile(consoleFile, '');
  if (firmware !== undefined && guest.makeVariables !== undefined) {
    await writeFile(join(directory, FILES.variables), guest.makeVariables(await readEmptyStore(firmware)));
  }
  const stop = new AbortController();
  const started = performance.now();
  const watch = watchConsole({ consoleFile, lastWords: guest.lastWords, timeoutMs, accelerator }, stop);
  let tail: readonly string[] = [];
  try {
    const result = await runProcess({
      program,
      args: argumentsFor(guest, accelerator, firmware),
      directory,
      signal: AbortSignal.any([guest.signal, stop.signal]),
    });
    tail = result.tail;
  } catch (error) {
    guest.signal.throwIfAborted();
    if (!stop.signal.aborted) throw error;
  } finally {
    watch.close();
  }
  const console = await readStart(consoleFile);
  const isFinished = console.includes(guest.lastWords);
  const end = isFinished ? 'finished' : stop.signal.aborted ? 'timeout' : 'ended';
  const ms = Math.round(performance.now() - started);
  const name = firmware?.code.slice(firmware.code.lastIndexOf('/') + 1);
  return { run: { end, console, accelerator, firmware: name, ms, timeoutMs }, tail };
}

function argumentsFor(
  guest: Guest,
  accelerator: Accelerator,
  firmware: Firmware | undefined,
): readonly string[] {
  const machine = MACHINES[guest.arch];
  const command = [`console=${machine.console}`, 'panic=-1', ...guest.kernelArguments].join(' ');
  return [
    ...(firmware === undefined ? ['-machine', machine.type] : firmwareArguments(firmware)),
    ...['-accel', accelerator, '-cpu', accelerator === 'kvm' ? 'host' : 'max'],
    ...['-m', String(guest.memoryMiB), '-smp', '1', '-no-user-config', '-nodefaults'],
    ...['-display', 'none', '-monitor', 'none', '-no-reboot'],
    // A file, not a pipe: qemu drops characters when a pipe is full.
    ...['-serial', `file:${FILES.console}`],
    ...['-kernel', FILES.kernel, '-initrd', FILES.initramfs, '-append', command],
  ];
}

interface WatchOptions {
  readonly consoleFile: string;
  readonly lastWords: string;
  readonly timeoutMs: number;
  readonly accelerator: Accelerator;
}

/** Ends the machine when its time is up, when it said its last words a while ago, or when it stays dumb under KVM. */
function watchConsole(options: WatchOptions, stop: AbortController): { close: () => void } {
  const { consoleFile, lastWords, timeoutMs, accelerator } = options;
  const started = performance.now();
  let doneAt: number | undefined;
  let isLooking = false;
  const look = async (): Promise<void> => {
    const now = performance.now();
    if (now - started > timeoutMs || (doneAt !== undefined && now - doneAt > FAREWELL_MS)) stop.abort();
    const { size } = await stat(consoleFile);
    if (accelerator === 'kvm' && size === 0 && now - started > SILENCE_MS) stop.abort();
    if (size > MAX_CONSOLE_BYTES) stop.abort();
    if (doneAt === undefined && (await readEnd(consoleFile, size)).includes(lastWords)) doneAt = now;
  };
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch(() => undefined)
      .finally(() => {
        isLooking = false;
      });
  }, POLL_MS);
  return {
    close: () => {
      clearInterval(timer);
    },
  };
}

async function readEnd(file: string, size: number): Promise<Buffer> {
  const handle = await open(file);
  try {
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function readStart(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size <= MAX_CONSOLE_BYTES) return readFile(file);
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_CONSOLE_BYTES), 0, MAX_CONSOLE_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
