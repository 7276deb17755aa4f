import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NodeFiles } from './node-files.ts';
import { worldDirectory } from './world.ts';

const run = promisify(execFile);
const PROGRAMS = join(import.meta.dirname, '../node-vm');
const SLOT_BYTES = 4 * 1024 ** 2;
const SLOTS = 4;

/** Where machines are made: a disk that all of them start from, and what boots it. */
export interface NodeFactory {
  /** A machine with a disk of its own. */
  readonly make: () => NodeVm;
  /** Removes it and all machines. */
  readonly remove: () => void;
}

/** Makes the disk of a node-like machine with these kernels. Takes ten seconds, and a minute or two the first time. */
export async function makeNodeFactory(kernels: readonly string[]): Promise<NodeFactory> {
  const directory = mkdtempSync(join(tmpdir(), 'kmodlayer-node-'));
  await run('bash', [join(PROGRAMS, 'make-disk.sh'), worldDirectory(), directory, ...kernels], {
    maxBuffer: 2 ** 24,
  }).catch((error: unknown) => {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  });
  let count = 0;
  return {
    make: () => {
      const place = join(directory, `machine-${++count}`);
      mkdirSync(place);
      execFileSync('cp', ['--sparse=always', join(directory, 'disk.img'), join(place, 'disk.img')]);
      return new NodeVm(directory, place);
    },
    remove: () => {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface NodeBoot {
  readonly kernelRelease: string;
  /**
   * Run as root when the boot is over. The machine powers off after it; with exit code 10 it reboots, and the script runs
   * again in the next boot.
   */
  readonly script?: string | undefined;
  /** What goes to the disk before the root is switched to, as Ignition's files do. */
  readonly files?: NodeFiles | undefined;
  readonly timeoutMs?: number;
  /** Called every other second with all that came over the serial line so far. */
  readonly onConsole?: ((text: string) => void) | undefined;
}

/** What a boot of the machine left. */
export interface NodeReport {
  /** What the script printed. */
  readonly script: string;
  /** Properties of units by their name. */
  readonly units: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Names of the modules that were loaded. */
  readonly modules: readonly string[];
  readonly commandLine: string;
  readonly journal: readonly JournalLine[];
  /** The journal of the boot before, where there was one. */
  readonly journalBefore: readonly JournalLine[];
}

export interface JournalLine {
  /** Seconds since the kernel started. */
  readonly at: number;
  readonly text: string;
}

/** A machine that is booted again and again with one disk. */
export class NodeVm {
  readonly #factory: string;
  readonly #place: string;
  #runs = 0;

  constructor(factory: string, place: string) {
    this.#factory = factory;
    this.#place = place;
  }

  /**
   * Boots until the machine is switched off, whatever number of reboots that takes.
   *
   * @returns A report for each boot that came to its end; one that was ended by a reboot of a unit left none.
   * @throws {Error} With the console's text when the machine takes too long.
   */
  async boot(options: NodeBoot): Promise<readonly NodeReport[]> {
    const { kernelRelease, script = '', files, timeoutMs = 420_000, onConsole } = options;
    const id = `run-${++this.#runs}`;
    const console = join(this.#place, `${id}.console`);
    const reports = join(this.#place, `${id}.reports`);
    execFileSync('truncate', ['-s', String(SLOTS * SLOT_BYTES), reports]);
    const early = ['root=/dev/vda', 'rw', 'console=ttyS0', 'quiet', 'panic=-1', 'systemd.show_status=false'];
    const commandLine = [...early, `node.run=${id}`, ...(files?.kernelArguments ?? [])].join(' ');
    const args = [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1536', '-M', 'q35'],
      ...['-nodefaults', '-display', 'none', '-monitor', 'none', '-serial', `file:${console}`],
      ...['-kernel', join(worldDirectory(), `kernels/${kernelRelease}/boot/vmlinuz-${kernelRelease}`)],
      ...['-initrd', this.#initrd(id, { kernelRelease, script, files }), '-append', commandLine],
      ...['-drive', `file=${join(this.#place, 'disk.img')},format=raw,if=virtio,cache=unsafe`],
      ...['-drive', `file=${reports},format=raw,if=virtio`],
      ...['-netdev', 'user,id=n', '-device', 'e1000e,netdev=n'],
    ];
    await runQemu(args, { console, timeoutMs, onConsole });
    const found = Array.from({ length: SLOTS }, (_value, slot) => this.#readReport(reports, slot));
    rmSync(reports);
    return found.filter((report) => report !== undefined);
  }

  remove(): void {
    rmSync(this.#place, { recursive: true, force: true });
  }

  /** The initramfs of the kernel with what Ignition writes behind it: the kernel unpacks one after the other. */
  #initrd(id: string, { kernelRelease, script, files }: NodeBoot): string {
    const scratch = join(this.#place, `${id}.early`);
    mkdirSync(join(scratch, 'root/etc/node-vm'), { recursive: true });
    files?.writeTo(join(scratch, 'root'));
    writeFileSync(join(scratch, 'root/etc/node-vm/script.sh'), script ?? '');
    mkdirSync(join(scratch, 'archive'));
    const removed = (files?.removed ?? []).map((path) => `${path}\n`).join('');
    writeFileSync(join(scratch, 'archive/node.removed'), removed);
    const archive =
      'printf "node.tar\\nnode.removed\\n" | (cd "$1/archive" && cpio --quiet -o -H newc -R 0:0)';
    const file = join(this.#place, `${id}.initrd`);
    execFileSync('bash', [
      '-c',
      `set -euo pipefail; tar -C "$1/root" --owner=0 --group=0 -cf "$1/archive/node.tar" .; { cat "$2"; ${archive}; } > "$3"`,
      'initrd',
      scratch,
      join(this.#factory, `initrd-${kernelRelease}`),
      file,
    ]);
    rmSync(scratch, { recursive: true });
    return file;
  }

  #readReport(reports: string, slot: number): NodeReport | undefined {
    const bytes = Buffer.alloc(SLOT_BYTES);
    const file = openSync(reports, 'r');
    readSync(file, bytes, 0, SLOT_BYTES, slot * SLOT_BYTES);
    closeSync(file);
    if (bytes.subarray(0, 512).every((byte) => byte === 0)) return undefined;
    const directory = join(this.#place, `report-${slot}`);
    mkdirSync(directory);
    // tar stops reading at its end, before the slot's.
    writeFileSync(join(directory, 'tar'), bytes);
    execFileSync('tar', ['-C', directory, '-xf', join(directory, 'tar')]);
    const textOf = (name: string): string =>
      existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : '';
    const report = {
      script: textOf('script'),
      units: readUnits(textOf('units')),
      modules: textOf('lsmod')
        .split('\n')
        .slice(1)
        .flatMap((line) => line.split(' ')[0] ?? [])
        .filter((name) => name !== ''),
      commandLine: textOf('cmdline').trim(),
      journal: readJournal(textOf('journal')),
      journalBefore: readJournal(textOf('journal-before')),
    };
    rmSync(directory, { recursive: true });
    return report;
  }
}

interface QemuRun extends Pick<NodeBoot, 'onConsole'> {
  /** File that the serial line goes to. */
  readonly console: string;
  readonly timeoutMs: number;
}

async function runQemu(args: readonly string[], { console, timeoutMs, onConsole }: QemuRun): Promise<void> {
  const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const timer = setTimeout(kill, timeoutMs);
  // A machine that reboots when its kernel gave up would do so for ever.
  const watch = setInterval(() => {
    const text = existsSync(console) ? readFileSync(console, 'latin1') : '';
    if (text.includes('Kernel panic')) kill();
    onConsole?.(text);
  }, 2_000);
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearTimeout(timer);
  clearInterval(watch);
  process.off('exit', kill);
  if (code !== 0) {
    const text = existsSync(console) ? readFileSync(console, 'latin1') : '';
    throw new Error(`The machine failed or took over ${timeoutMs} ms: ${errors}\n${text.slice(-20_000)}`);
  }
}

function readUnits(text: string): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const blocks = text.split('\n\n').map((block) =>
    Object.fromEntries(
      block
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
    ),
  );
  return new Map(blocks.map((block) => [block['Id'] ?? '', block]));
}

function readJournal(text: string): readonly JournalLine[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\[\s*(\d+\.\d+)\] (.*)$/.exec(line);
    return match === null ? [] : [{ at: Number(match[1]), text: match[2] ?? '' }];
  });
}
