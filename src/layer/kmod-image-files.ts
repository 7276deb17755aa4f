import { ModuleError } from '../errors.ts';
import type { Io } from '../io.ts';
import { decompressModule } from '../kmod/compression.ts';
import { RHEL_DEPMOD_CONFIG } from '../kmod/depmod/config.ts';
import { type IndexFormat, indexTree, readIndexFormat } from '../kmod/depmod/index-tree.ts';
import type { AddedModule } from '../kmod/depmod/select-modules.ts';
import { findModinfo, type KernelModule } from '../kmod/module.ts';
import { readModule } from '../kmod/read-module.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { type Base, readBaseModules } from './base.ts';
import { hintsOf, linesOf } from './needs.ts';
import type { PlacedDriver } from './place.ts';
import type { LayerDirectory, LayerFile, LayerLink } from './tar.ts';

/** Where a kmod image has the firmware of its drivers. */
export const KMOD_IMAGE_FIRMWARE = 'firmware';

/** Where a kmod image has its tree: what KMM calls `dirName`. */
const ROOT = 'opt/lib/modules';

/** Where a kmod image has the modules and indexes of a kernel. */
export function kmodImageDirectory(kernel: KernelRelease): string {
  return `${ROOT}/${kernel}`;
}

/** Every search order prefers this directory to the kernel's own. */
export function kmodImagePath(driver: string, fileName: string): string {
  return `updates/${driver}/${fileName}`;
}

export interface KmodImageRequest {
  readonly kernel: KernelRelease;
  readonly drivers: readonly PlacedDriver[];
  /** What the indexes need to know of each module, by the path that `kmodImagePath` gives. */
  readonly modules: ReadonlyMap<string, KernelModule>;
  /** The OS image with this kernel, and its indexes with the modules merged in; undefined for a kernel that none has. */
  readonly os:
    { readonly image: OpenedImage; readonly base: Base; readonly dependencies: Uint8Array } | undefined;
  readonly extraFiles: readonly LayerFile[];
  /** Manifests name the directory of firmware: it is there, whatever packages turned out to have. */
  readonly mayHaveFirmware: boolean;
}

export interface KmodImageFiles {
  readonly files: readonly (LayerFile | LayerLink | LayerDirectory)[];
  /** Index files by name. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** Modules of the OS image that are needed, by path below its module directory. */
  readonly inTree: readonly string[];
  /** Modules that are needed and are nowhere to be seen: those of a kernel that is in no OS image. */
  readonly unresolved: readonly string[];
}

/**
 * What `modprobe -d /opt` finds in a kmod image: the modules of all drivers, and the indexes that depmod writes for them
 * and what they need of the OS image, which lies behind the link `host` on a node. Of the OS image the indexes have no
 * more than that, so that they are small, and the same for all releases with this kernel.
 *
 * @throws {ModuleError} as `indexTree` does; {LayerError}, {OciError} and {RegistryError} as reading modules of the base.
 */
export async function kmodImageFiles(
  request: KmodImageRequest,
  io: Pick<Io, 'cache'>,
): Promise<KmodImageFiles> {
  const { kernel, drivers, modules, os, extraFiles, mayHaveFirmware } = request;
  const ours = [...modules].map(([path, module]): AddedModule => ({ path, module }));
  const inTree = os === undefined ? [] : neededOf(os, ours);
  const host = os === undefined ? [] : await readHost(os, kernel, inTree, io);
  const { files: indexes } = indexTree({
    modules: [...ours, ...host],
    config: RHEL_DEPMOD_CONFIG,
    kernelRelease: kernel,
    format: formatOf(os?.base, ours),
  });
  const directory = kmodImageDirectory(kernel);
  return {
    files: [
      ...drivers.flatMap(({ name, modules: placed }) =>
        placed.map(({ fileName, bytes }) => ({
          path: `${directory}/${kmodImagePath(name, fileName)}`,
          bytes,
        })),
      ),
      ...[...indexes].map(([name, bytes]) => ({ path: `${directory}/${name}`, bytes })),
      { path: `${directory}/host`, target: `/lib/modules/${kernel}` },
      ...(mayHaveFirmware ? [{ path: KMOD_IMAGE_FIRMWARE, isDirectory: true } as const] : []),
      ...firmwareOf(drivers),
      ...extraFiles,
    ],
    indexes,
    inTree,
    unresolved: os === undefined ? unresolvedOf(ours) : [],
  };
}

/** Which depmod to be: that of the OS image, whose kmod loads the modules. */
function formatOf(base: Base | undefined, ours: readonly AddedModule[]): IndexFormat {
  const isBigEndian = ours.some(({ module }) => !module.isLittleEndian);
  const indexes = base?.indexes ?? new Map<string, Uint8Array>();
  return readIndexFormat(indexes, isBigEndian ? 'big' : 'little');
}

/** What modules of ours need of the OS image: what depmod found, and what they ask modprobe for beside that. */
function neededOf(
  { dependencies, base }: NonNullable<KmodImageRequest['os']>,
  ours: readonly AddedModule[],
): readonly string[] {
  const own = new Set(ours.map(({ path }) => path));
  const merged = linesOf(dependencies);
  const pathOf = new Map(
    [...linesOf(base.indexes.get('modules.dep')).keys()].map((path) => [moduleNameOfPath(path), path]),
  );
  const wished = ours.flatMap(({ module }) => hintsOf(module)).flatMap((name) => pathOf.get(name) ?? []);
  const needed = new Set<string>();
  for (const path of [...own, ...wished]) {
    if (!own.has(path)) needed.add(path);
    for (const other of merged.get(path) ?? []) if (!own.has(other)) needed.add(other);
  }
  return [...needed].sort();
}

async function readHost(
  { image }: NonNullable<KmodImageRequest['os']>,
  kernel: KernelRelease,
  paths: readonly string[],
  io: Pick<Io, 'cache'>,
): Promise<readonly AddedModule[]> {
  const read = await readBaseModules(image, { kernel, paths }, io);
  return Promise.all(
    [...read].map(async ([path, bytes]) => ({
      path: `host/${path}`,
      module: readModule(await decompressModule(bytes)),
    })),
  );
}

/** The names by which modules say what they need, less those that come along. */
function unresolvedOf(ours: readonly AddedModule[]): readonly string[] {
  const own = new Set(ours.map(({ path }) => moduleNameOfPath(path)));
  const named = ours.flatMap(({ module }) => (findModinfo(module, 'depends') ?? '').split(','));
  return [...new Set(named.filter((name) => name !== '' && !own.has(moduleNameOfPath(`${name}.ko`))))].sort();
}

/** All drivers of an image share its firmware directory: a node has one, too. */
function firmwareOf(drivers: readonly PlacedDriver[]): readonly LayerFile[] {
  const files = new Map<string, LayerFile>();
  for (const { name, firmware } of drivers) {
    for (const { path, bytes } of firmware) {
      const known = files.get(path);
      if (known !== undefined && !Buffer.from(known.bytes).equals(bytes)) {
        throw new ModuleError(
          'DUPLICATE_MODULE',
          `Cannot add the firmware ${path} of ${name}: another driver has it`,
          {
            hint: 'Drivers of one set may share a file of firmware, but not have two of one name.',
          },
        );
      }
      files.set(path, { path: `${KMOD_IMAGE_FIRMWARE}/${path}`, bytes });
    }
  }
  return [...files.values()];
}
