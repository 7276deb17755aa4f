import { LayerError } from '../../errors.ts';
import { decompressModule } from '../../kmod/compression.ts';
import { type DepmodConfig, RHEL_DEPMOD_CONFIG } from '../../kmod/depmod/config.ts';
import { indexTree, readIndexFormat } from '../../kmod/depmod/index-tree.ts';
import { mergeIndexes } from '../../kmod/depmod/merge.ts';
import type { AddedModule } from '../../kmod/depmod/select-modules.ts';
import type { KernelModule } from '../../kmod/module.ts';
import { readModule } from '../../kmod/read-module.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import { moduleNameOfPath } from '../../spec/module-name.ts';
import { hintsOf, linesOf } from '../needs.ts';
import { autoloadLines, modprobeLines, type PlacedDriver } from '../place.ts';
import type { InitramfsFacts } from './base-initramfs.ts';
import { type InitramfsEntry, writeInitramfs } from './write-cpio.ts';

export interface ArchiveRequest {
  readonly kernel: KernelRelease;
  /** All drivers that there are; of these, the modules that are asked for, and those they need. */
  readonly drivers: readonly PlacedDriver[];
  readonly initramfs: InitramfsFacts;
  readonly tree: ArchiveTree;
}

/** The module tree of the OS, with the modules of the drivers in it. */
export interface ArchiveTree {
  /** `modules.*` of the tree; without the drivers' modules, too, where `pathOf` finds none of them. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** Where `indexes` have a module of a driver. */
  readonly pathOf: (driver: string, fileName: string) => string;
  /** Files of the OS's own modules, as they lie there, by path below the module directory. */
  readonly readModules: (paths: readonly string[]) => Promise<ReadonlyMap<string, Uint8Array>>;
}

/** What is appended to an initramfs. */
export interface Archive {
  /** A cpio archive; it must begin on a multiple of four. */
  readonly bytes: Buffer;
  /** Modules that it holds, by path below the kernel's directory. */
  readonly modules: readonly string[];
  /** Modules of the initramfs that lose against one of the archive. */
  readonly overridden: readonly { readonly name: string; readonly winner: string; readonly loser: string }[];
}

/** Every search order prefers this directory to the kernel's own: whatever depmod.d the initramfs has. */
function initramfsPath(driver: string, fileName: string): string {
  return `updates/${driver}/${fileName}`;
}

/**
 * The archive that brings modules into an initramfs: those that are asked for, what they need and the initramfs lacks, and
 * the indexes that depmod would write for all that is then in it.
 *
 * @throws {ModuleError} as `mergeIndexes`; {LayerError} `BASE_UNSUPPORTED` for an initramfs laid out in another way.
 */
export async function makeArchive(request: ArchiveRequest): Promise<Archive> {
  const { kernel, initramfs } = request;
  const wanted = await modulesOf(request);
  const overridden: Archive['overridden'][number][] = [];
  const indexes = await indexAll(request, wanted, overridden);
  const directory = initramfs.directory ?? `usr/lib/modules/${kernel}`;
  const root = directory.startsWith('usr/') ? 'usr/lib' : 'lib';
  const names = new Set([...wanted.keys()].map((path) => moduleNameOfPath(path)));
  const drivers = request.drivers
    .map((driver) => ({
      ...driver,
      modules: driver.modules.filter(({ fileName }) => names.has(moduleNameOfPath(fileName))),
      softdeps: driver.softdeps.filter(({ module }) => names.has(module)),
    }))
    .filter(({ modules }) => modules.length > 0);
  const text = (path: string, lines: readonly string[]): InitramfsEntry[] =>
    lines.length === 0
      ? []
      : [{ path, type: 'file', bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')) }];
  const entries: InitramfsEntry[] = [
    ...[...wanted].map(([path, { bytes }]) => ({
      path: `${directory}/${path}`,
      type: 'file' as const,
      bytes,
    })),
    ...[...indexes].map(([name, bytes]) => ({ path: `${directory}/${name}`, type: 'file' as const, bytes })),
    ...drivers.flatMap((driver) => [
      ...text(`${root}/modules-load.d/kmodlayer-${driver.name}.conf`, autoloadLines(driver)),
      ...text(`${root}/modprobe.d/kmodlayer-${driver.name}.conf`, modprobeLines(driver)),
      ...driver.firmware.map(({ path, bytes }) => ({
        path: `${root}/firmware/${path}`,
        type: 'file' as const,
        bytes,
      })),
    ]),
  ];
  requirePlainParents(entries, initramfs);
  return { bytes: writeInitramfs(entries), modules: [...wanted.keys()].sort(), overridden };
}

interface WantedModule {
  readonly bytes: Uint8Array;
  readonly module: KernelModule;
}

/** What goes in: the modules that are asked for with all that they need, less what the initramfs has. */
async function modulesOf(request: ArchiveRequest): Promise<ReadonlyMap<string, WantedModule>> {
  const { drivers, initramfs, tree } = request;
  const ours = new Map(
    drivers.flatMap(({ name, modules }) =>
      modules.map(
        ({ fileName, bytes }) =>
          [tree.pathOf(name, fileName), { path: initramfsPath(name, fileName), bytes }] as const,
      ),
    ),
  );
  const lines = linesOf(tree.indexes.get('modules.dep'));
  const pathOfName = new Map([...lines.keys()].map((path) => [moduleNameOfPath(path), path]));
  const there = new Set(initramfs.modules.map(moduleNameOfPath));
  const found = new Map<string, WantedModule>();
  const inTree = new Set<string>();
  const seen = new Set<string>();
  const waiting = drivers.flatMap(({ name, modules }) =>
    modules.filter((module) => module.initramfs === true).map(({ fileName }) => tree.pathOf(name, fileName)),
  );
  const softdeps = new Map(
    drivers.flatMap((driver) =>
      driver.softdeps.map(({ module, pre, post }) => [module, [...pre, ...post]] as const),
    ),
  );
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    waiting.push(...(lines.get(path) ?? []));
    const own = ours.get(path);
    if (own === undefined) {
      if (!there.has(moduleNameOfPath(path))) inTree.add(path);
      continue;
    }
    const module = readModule(await decompressModule(own.bytes));
    found.set(own.path, { bytes: own.bytes, module });
    const hints = [...hintsOf(module), ...(softdeps.get(moduleNameOfPath(path)) ?? [])];
    waiting.push(...hints.flatMap((name) => pathOfName.get(name) ?? []));
  }
  const paths = [...inTree].sort();
  for (const [path, bytes] of await tree.readModules(paths))
    found.set(path, { bytes, module: readModule(await decompressModule(bytes)) });
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The indexes that change: merged into those of the initramfs, or made of nothing when it has no modules. */
async function indexAll(
  { kernel, initramfs, tree }: ArchiveRequest,
  wanted: ReadonlyMap<string, WantedModule>,
  overridden: Archive['overridden'][number][],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const added = [...wanted].map(([path, { module }]): AddedModule => ({ path, module }));
  const config: DepmodConfig = RHEL_DEPMOD_CONFIG;
  if (initramfs.modules.length === 0) {
    const { files } = indexTree({
      modules: added,
      config,
      kernelRelease: kernel,
      format: readIndexFormat(tree.indexes),
      files: initramfs.indexes,
    });
    return files;
  }
  const baseModules = new Map<string, KernelModule>();
  for (;;) {
    const result = mergeIndexes({
      base: initramfs.indexes,
      added,
      config,
      kernelRelease: kernel,
      baseModules,
      // What made the initramfs saw to it that each of its modules finds what it needs.
      isBaseClosed: true,
    });
    if (result.kind === 'merged') {
      overridden.push(...result.overridden);
      return result.files;
    }
    const paths = result.paths.filter((path) => !baseModules.has(path));
    if (paths.length === 0)
      throw new LayerError('BASE_UNSUPPORTED', 'Cannot merge the indexes of the initramfs of the base');
    for (const [path, bytes] of await tree.readModules(paths))
      baseModules.set(path, readModule(await decompressModule(bytes)));
  }
}

/** The kernel removes a symlink where an archive has a directory: nothing must be written through one. */
function requirePlainParents(entries: readonly InitramfsEntry[], { links }: InitramfsFacts): void {
  const link = links.find((one) => entries.some(({ path }) => path.startsWith(`${one}/`)));
  if (link === undefined) return;
  throw new LayerError(
    'BASE_UNSUPPORTED',
    `Cannot add modules to the initramfs of the base: its /${link} is a symlink`,
    { hint: 'An archive that is appended would take the link away, and all that is found by it.' },
  );
}
