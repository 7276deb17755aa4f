import type { Emulator } from '../../engine/emulator.ts';
import { BootError, SignError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { Arch } from '../../oci/arch.ts';
import { makeThrowAwayKey, type ThrowAwayKey } from '../../sign/throw-away-key.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import type { ProvenTarget } from '../proven-target.ts';
import type { BootReport } from './boot-report.ts';
import { type BootSource, makeBootKit, selectOf } from './boot-kit.ts';
import { type Control, makeControls } from './controls.ts';
import { directoryRoot, readDirectorySource } from './directory-source.ts';
import type { EnrolPlace } from './enrolment.ts';
import { type GuestTask, makeGuestInitramfs, runGuest } from './guest.ts';
import { readImageSource } from './image-source.ts';
import { makeBootReport } from './make-report.ts';

/** What to boot, and what to load there. */
export interface BootRequest {
  /** As progress and reports name it. */
  readonly subject: string;
  /** An OS image, or a directory that holds `usr/lib/modules/<kernel>`. */
  readonly source: ProvenTarget['source'];
  readonly arch: Arch;
  readonly kernel: KernelRelease;
  /** Names of the modules to load, in this order, as the kernel spells them. */
  readonly modules: readonly string[];
  /** Files on top of the source, by path, for instance `usr/lib/modules/<kernel>/extra/ice.ko`, and its new indexes. */
  readonly added?: ReadonlyMap<string, Uint8Array> | undefined;
  /** Root directory whose shell, mount, cat and kmod the guest runs; those of the source when absent. */
  readonly userland?: string | undefined;
  /** Boots with Secure Boot, and these certificates in DER in the firmware's `db` or in shim's list. */
  readonly secureBoot?:
    { readonly certificates: readonly Uint8Array[]; readonly place: EnrolPlace } | undefined;
  /** Arguments of the kernel that the nodes have, for instance `efi=runtime`. */
  readonly kernelArguments?: readonly string[] | undefined;
  /** Default: a minute with KVM, five without. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Boots a kernel in an emulator and loads modules by name as modprobe on a node does. With Secure Boot, first tries
 * copies of the modules that the kernel must refuse, in the same boot: what is refused leaves nothing behind.
 *
 * @throws {BootError} when there is no emulator or firmware, or the source lacks what a boot needs.
 * @throws {OciError}, {RegistryError}, {LayerError}, {ModuleError} when the source cannot be read.
 */
export async function bootProof(
  request: BootRequest,
  io: Pick<Io, 'cache' | 'files' | 'emulator' | 'report' | 'signal' | 'now'>,
): Promise<BootReport> {
  const { subject, arch, kernel, modules, kernelArguments, secureBoot, timeoutMs } = request;
  const started = performance.now();
  io.report({ type: 'stage-started', target: subject, stage: 'verify', detail: 'boot' });
  // First of all: what is missing on this machine should not show after minutes.
  const emulator = await requireEmulator(request, io);
  const [source, owner, wrongKey] = await Promise.all([
    openSource(request, io),
    ...(secureBoot === undefined ? [] : [makeOwner(io), makeWrongKey(io)]),
  ]);
  const prepared = performance.now();
  const kit = await makeBootKit(source, kernel, modules);
  const controls = wrongKey === undefined ? [] : await controlsOf(source, modules, wrongKey);
  const tasks: readonly GuestTask[] = [
    ...controls.map(({ name, bytes }) => ({ verb: 'try', name, bytes }) as const),
    ...modules.map((name) => ({ verb: 'modprobe', name }) as const),
  ];
  const initramfs = makeGuestInitramfs({ root: kit.entries, tasks });
  const initramfsMs = Math.round(performance.now() - prepared);
  const run = await runGuest(
    {
      arch,
      kernel: kit.vmlinuz,
      root: kit.entries,
      tasks,
      initramfs,
      kernelArguments,
      enrolment:
        secureBoot === undefined || owner === undefined
          ? undefined
          : { ...secureBoot, owner: owner.certificate },
      timeoutMs,
      signal: io.signal,
    },
    emulator,
  );
  const report = makeBootReport({ request, controls, run, version: emulator.version, initramfsMs });
  io.report({
    type: 'stage-finished',
    target: subject,
    stage: 'verify',
    detail: 'boot',
    ms: Math.round(performance.now() - started),
  });
  return report;
}

/**
 * The emulator that a proof needs, for those who want to know before other long work whether there is one.
 *
 * @throws {BootError} `EMULATOR_MISSING`, `FIRMWARE_MISSING`, `ARCH_UNSUPPORTED`.
 */
export async function requireEmulator(
  { arch, secureBoot }: Pick<BootRequest, 'arch' | 'secureBoot'>,
  io: Pick<Io, 'emulator'>,
): Promise<Emulator> {
  if (secureBoot !== undefined && arch !== 'x86_64') {
    throw new BootError('ARCH_UNSUPPORTED', `Cannot boot with Secure Boot on ${arch}`, {
      hint: 'Secure Boot is tried on x86_64 only; --boot works on every architecture.',
    });
  }
  const emulator = await io.emulator(arch);
  if (secureBoot !== undefined) await emulator.findFirmware();
  return emulator;
}

function makeOwner(io: Pick<Io, 'now'>): Promise<ThrowAwayKey> {
  return makeThrowAwayKey('Owner of an emulated machine', io.now());
}

function makeWrongKey(io: Pick<Io, 'now'>): Promise<ThrowAwayKey> {
  return makeThrowAwayKey('A key that nobody trusts', io.now());
}

async function openSource(
  request: BootRequest,
  io: Pick<Io, 'cache' | 'files' | 'report' | 'signal'>,
): Promise<BootSource> {
  const { source, kernel, modules, added, userland } = request;
  const opened =
    source.type === 'image'
      ? await readImageSource(source.image, { kernel, modules }, io)
      : await readDirectorySource(source.path, kernel, io.files);
  const withUserland =
    userland === undefined ? opened : { ...opened, root: directoryRoot(userland, io.files) };
  return added === undefined ? withUserland : withAdded(withUserland, kernel, added);
}

/** A source with files that lie on top of it. */
function withAdded(
  source: BootSource,
  kernel: KernelRelease,
  added: ReadonlyMap<string, Uint8Array>,
): BootSource {
  const directory = `usr/lib/modules/${kernel}/`;
  const inTree = [...added].flatMap(([path, bytes]) =>
    path.startsWith(directory) ? [[path.slice(directory.length), bytes] as const] : [],
  );
  const modules = new Map(inTree.filter(([path]) => !path.startsWith('modules.')));
  return {
    ...source,
    indexes: new Map([...source.indexes, ...inTree.filter(([path]) => path.startsWith('modules.'))]),
    configuration: new Map([
      ...source.configuration,
      ...[...added].filter(([path]) => path.includes('/modprobe.d/')),
    ]),
    readModules: async (paths) => {
      const own = await source.readModules(paths.filter((path) => !modules.has(path)));
      return new Map([...own, ...[...modules].filter(([path]) => paths.includes(path))]);
    },
  };
}

async function controlsOf(
  source: BootSource,
  modules: readonly string[],
  wrongKey: ThrowAwayKey,
): Promise<readonly Control[]> {
  const controls: Control[] = [];
  for (const name of modules) {
    const [path] = selectOf(source, [name]).filter((one) => nameOf(one) === name);
    const bytes = path === undefined ? undefined : (await source.readModules([path])).get(path);
    if (bytes === undefined) continue;
    try {
      controls.push(...(await makeControls(name, bytes, wrongKey)));
    } catch (error) {
      // A malformed signature: the kernel refuses the module itself for it.
      if (!(error instanceof SignError)) throw error;
    }
  }
  return controls;
}

function nameOf(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\..*$/, '')
    .replaceAll('-', '_');
}
