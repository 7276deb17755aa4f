import { execFile } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFirmware } from '../../src/engine/firmware.ts';
import { FILES, firmwareArguments } from '../../src/engine/machines.ts';
import { type InitramfsEntry, writeInitramfs } from '../../src/layer/initramfs/write-cpio.ts';
import { type EfiVariable, writeVariableStore } from '../../src/verify/boot/efi-variables.ts';
import { decompressModule } from '../../src/kmod/compression.ts';
import { type DebianKernel } from './kernels.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 150_000;

export interface FirmwareGuestOptions {
  readonly kernel: DebianKernel;
  /** Given the kernel: what the firmware knows from the start. */
  readonly variables: (kernel: Buffer) => readonly EfiVariable[];
  /** Programs of this machine that the guest has under their own names. */
  readonly programs: readonly string[];
  /** Files by path. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** A machine with UEFI firmware whose variables stay from one boot to the next. */
export interface FirmwareGuest {
  /** Boots and runs a shell script, as root; gives what it printed. */
  readonly boot: (script: string) => Promise<string>;
  readonly remove: () => Promise<void>;
}

/** Makes a machine with an empty store of variables, and what goes into its initramfs. */
export async function makeFirmwareGuest(options: FirmwareGuestOptions): Promise<FirmwareGuest> {
  const { kernel, variables, programs, files } = options;
  const directory = await mkdtemp(join(tmpdir(), 'kmodlayer-firmware-'));
  const firmware = await findFirmware(process.env);
  const image = await readFile(kernel.image);
  await writeFile(join(directory, FILES.kernel), image);
  const store = writeVariableStore(await readFile(firmware.variables), variables(image));
  await writeFile(join(directory, FILES.variables), store);
  const root = [
    ...(await programEntries(['/bin/busybox', '/usr/bin/dash', '/usr/bin/mount', ...programs])),
    // Not busybox's, which would run its own mount for a program that asks for the real one.
    { path: 'bin/sh', type: 'symlink', target: 'dash' } as const,
    file('kernel/efivarfs.ko', await readEfivarfs(kernel)),
    ...Object.entries(files).map(([path, bytes]) => file(path, bytes)),
  ];
  return {
    boot: async (script) => {
      const init = file('init', Buffer.from(`${PREPARE}(\n${script}\n) >/dev/ttyS0 2>&1\n${END}`), 0o755);
      await writeFile(join(directory, FILES.initramfs), writeInitramfs([...root, init]));
      await run(
        'qemu-system-x86_64',
        [
          ...firmwareArguments(firmware),
          ...['-accel', 'tcg', '-cpu', 'max', '-m', '1024', '-smp', '1', '-no-user-config', '-nodefaults'],
          ...['-display', 'none', '-monitor', 'none', '-no-reboot', '-serial', `file:${FILES.console}`],
          ...['-kernel', FILES.kernel, '-initrd', FILES.initramfs],
          ...['-append', 'console=ttyS0 quiet loglevel=1 panic=-1'],
        ],
        { cwd: directory, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' },
      );
      return saidBy(await readFile(join(directory, FILES.console), 'latin1'));
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

const START = '@@start';
const DONE = '@@done';

const PREPARE = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox --install -s /bin 2>/dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t securityfs securityfs /sys/kernel/security
insmod /kernel/efivarfs.ko
mount -t efivarfs efivarfs /sys/firmware/efi/efivars
echo ${START} >/dev/ttyS0
`;
const END = `echo ${DONE} >/dev/ttyS0
sync
poweroff -f
`;

function saidBy(console: string): string {
  const text = console.replaceAll('\r', '');
  const [, said] = new RegExp(`${START}\n([\\s\\S]*)${DONE}\n`).exec(text) ?? [];
  if (said === undefined) throw new Error(`The guest did not come to its end:\n${text}`);
  return said;
}

function file(path: string, bytes: Uint8Array, mode = 0o644): InitramfsEntry {
  return { path, type: 'file', bytes, mode };
}

/** Programs, and their libraries where `ldd` finds them. */
async function programEntries(programs: readonly string[]): Promise<readonly InitramfsEntry[]> {
  const entries = new Map<string, InitramfsEntry>();
  for (const program of programs) {
    const name = `bin/${program.slice(program.lastIndexOf('/') + 1)}`;
    entries.set(name, file(name, await readFile(await realpath(program)), 0o755));
    // A program without libraries has ldd end with 1.
    const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' }));
    for (const [library] of stdout.matchAll(/\/\S+\.so\S*/g)) {
      const path = library.slice(1);
      entries.set(path, file(path, await readFile(await realpath(library)), 0o755));
    }
  }
  return [...entries.values()];
}

/** Debian's kernels have it as a module, which is theirs and so may always be loaded. */
async function readEfivarfs({ modules }: DebianKernel): Promise<Buffer> {
  const path = join(modules, 'fs/efivarfs/efivarfs.ko');
  return decompressModule(await readFile(path).catch(() => readFile(`${path}.xz`)));
}
