import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { findQemu } from '../../src/engine/qemu.ts';
import { type InitramfsEntry, writeInitramfs } from '../../src/layer/initramfs/write-cpio.ts';
import { writeVariableStore } from '../../src/verify/boot/efi-variables.ts';
import { enrolmentVariables } from '../../src/verify/boot/enrolment.ts';
import type { DebianKernel } from '../support/kernels.ts';
import { withTemporaryDirectory } from '../support/io.ts';
import { type MadeMutant, type MadeMutants, PROVIDERS } from './make-mutants.ts';

export interface BootOptions extends Pick<MadeMutants, 'providers'> {
  readonly kernel: DebianKernel;
  readonly mutants: readonly MadeMutant[];
  /** Boots with Secure Boot, and with these certificates (DER) beside those of the kernel. */
  readonly certificates?: readonly Uint8Array[] | undefined;
}

/** What a kernel did with a mutant. */
export interface Outcome {
  /** `crashed`: the kernel met an error of its own, and stopped. */
  readonly kind: 'accepted' | 'refused' | 'crashed';
  /** What insmod and the kernel said meanwhile. */
  readonly messages: readonly string[];
}

export interface MutantBoot {
  /** By id of the mutant. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly isEnforced: boolean;
  readonly lockdown: string;
  readonly ms: number;
}

/**
 * busybox's shell has an insmod of its own, which starts in no time; when the kernel refuses a file, it tries a second
 * system call, and the kernel says everything twice. kmod's, with its many libraries, is for files that are packed. All
 * is said in the kernel's log, so that its own messages stand in between. What a mutant is called says the kernel.
 */
const INIT = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t securityfs securityfs /sys/kernel/security
say() { echo "<5>mutants: $*" >/dev/kmsg; }
read -r enforced </sys/module/module/parameters/sig_enforce
read -r lockdown </sys/kernel/security/lockdown
say "enforced $enforced"
say "lockdown $lockdown"
for provider in ${PROVIDERS.join(' ')}; do
  /bin/insmod "/$provider.ko" >/dev/kmsg 2>&1 || say "no provider $provider"
done
while read -r id insmod file parameters; do
  say "begin $id"
  $insmod "/$file" $parameters >/dev/kmsg 2>&1
  code=$?
  say "end $code"
  if [ $code = 0 ]; then
    while read -r name rest; do
      case $name in
      ${PROVIDERS.join(' | ')}) ;;
      *) rmmod "$name" >/dev/kmsg 2>&1 || say "stuck $name" ;;
      esac
    done </proc/modules
  fi
done </mutants
say finished
echo o >/proc/sysrq-trigger
read -r _
`;
const FINISHED = 'mutants: finished';

/**
 * Boots a kernel and loads mutants into it, each by itself beside the modules that they import from. The kernel stops at
 * the first error of its own: what comes after it would prove nothing.
 *
 * @throws {Error} With the console's text when the guest did not come to its last mutant, or was left with one loaded.
 */
export async function bootMutants(options: BootOptions): Promise<MutantBoot> {
  const { kernel, certificates } = options;
  const [owner] = certificates ?? [];
  const image = await readFile(kernel.image);
  const { signal } = new AbortController();
  const io = {
    env: process.env,
    withTemporaryDirectory,
    report: () => undefined,
    now: () => new Date(),
    signal,
  };
  const qemu = await findQemu('x86_64', io);
  const { console, ms, end } = await qemu.boot({
    arch: 'x86_64',
    kernel: image,
    initramfs: writeInitramfs(await initramfsEntries(options)),
    // A kernel for real time asks the firmware for nothing, and so for no certificates, unless it is told to.
    kernelArguments: ['loglevel=6', 'printk.time=0', 'printk.devkmsg=on', 'oops=panic', 'efi=runtime'],
    memoryMiB: 1024,
    lastWords: FINISHED,
    makeVariables:
      certificates === undefined || owner === undefined
        ? undefined
        : (store) =>
            writeVariableStore(
              store,
              enrolmentVariables({ certificates, place: 'mok', owner, kernel: image }),
            ),
    timeoutMs: 600_000,
    signal,
  });
  const text = Buffer.from(console).toString('latin1').replaceAll('\r', '');
  const boot = parseConsole(text);
  if (boot.outcomes.size < options.mutants.length || /mutants: (?:stuck|no provider)/.test(text)) {
    throw new Error(`The guest did not go through its mutants (${end}):\n${text.slice(-8000)}`);
  }
  return { ...boot, ms };
}

function parseConsole(text: string): Omit<MutantBoot, 'ms'> {
  const outcomes = new Map<string, Outcome>();
  for (const [, id = '', said = '', code] of text.matchAll(
    /^mutants: begin (\S+)\n([\s\S]*?)^mutants: end (\d+)$/gm,
  )) {
    const kind = code === '0' ? 'accepted' : 'refused';
    outcomes.set(id, { kind, messages: said.split('\n').filter(Boolean) });
  }
  const [, last = '', words = ''] =
    /mutants: begin (\S+)\n((?:(?!mutants: )[\s\S])*Kernel panic)/.exec(text) ?? [];
  if (last !== '') outcomes.set(last, { kind: 'crashed', messages: words.split('\n').filter(Boolean) });
  return {
    outcomes,
    isEnforced: /^mutants: enforced Y/m.test(text),
    lockdown: /^mutants: lockdown .*\[(\w+)\]/m.exec(text)?.[1] ?? 'none',
  };
}

async function initramfsEntries({ providers, mutants }: BootOptions): Promise<readonly InitramfsEntry[]> {
  const file = (path: string, bytes: Uint8Array, mode = 0o644): InitramfsEntry => ({
    ...{ path, type: 'file', bytes, mode },
  });
  const program = async (path: string, from: string): Promise<InitramfsEntry> =>
    file(path, await readFile(from), 0o755);
  const libraries = execFileSync('ldd', ['/usr/bin/kmod'], { encoding: 'utf8' }).matchAll(/\/\S+\.so\S*/g);
  const device = (name: string, minor: number): InitramfsEntry => ({
    ...{ path: `dev/${name}`, type: 'character-device', major: name === 'console' ? 5 : 1, minor },
  });
  // The kernel never sees a name of a file, kmod does not look at it: what is packed is told by its first bytes.
  const list = mutants.map(({ mutant, fileName }, index) =>
    [
      ...[mutant.id, fileName.endsWith('.ko') ? 'insmod' : '/bin/insmod', `${index}.ko`],
      ...Object.entries(mutant.parameters ?? {}).map(([name, value]) => `${name}=${value}`),
    ].join(' '),
  );
  return [
    ...[device('console', 1), device('null', 3), device('kmsg', 11)],
    ...['proc', 'sys'].map((path): InitramfsEntry => ({ path, type: 'directory' })),
    ...(await Promise.all(['sh', 'mount'].map((name) => program(`bin/${name}`, '/bin/busybox')))),
    await program('bin/insmod', '/usr/bin/kmod'),
    ...(await Promise.all([...libraries].map(([library]) => program(library.slice(1), library)))),
    ...providers.map((bytes, index) => file(`${PROVIDERS[index] ?? ''}.ko`, bytes)),
    ...mutants.map(({ bytes }, index) => file(`${index}.ko`, bytes)),
    file('mutants', Buffer.from(list.map((line) => `${line}\n`).join(''))),
    file('init', Buffer.from(INIT), 0o755),
  ];
}
