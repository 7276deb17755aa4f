import { ModuleError } from '../errors.ts';
import type { Io } from '../io.ts';
import { decompressModule } from '../kmod/compression.ts';
import type { DepmodConfig } from '../kmod/depmod/config.ts';
import { readIndex } from '../kmod/depmod/index-reader.ts';
import type { KernelModule } from '../kmod/module.ts';
import { type KernelSymbol, parseSymvers } from '../kmod/symvers.ts';
import type { NewLayer } from '../oci/image.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { type Base, readBase } from './base.ts';
import { type KernelFiles, readKernelFiles } from './kernel-files.ts';
import { type LayeredInitramfs, layeredInitramfs } from './initramfs/initramfs-file.ts';
import { makeLayer, makeStreamedLayer } from './make-layer.ts';
import { depmodConfig, mergeWithBase } from './merge-base.ts';
import { modulePath, type PlacedDriver, placeDriver } from './place.ts';
import type { LayerFile } from './tar.ts';

export interface LayerRequest {
  readonly image: OpenedImage;
  readonly kernel: KernelRelease;
  /** All drivers of the set: a pool has one OS image, so they share a layer. */
  readonly drivers: readonly PlacedDriver[];
  /** What the indexes need to know of each module, by the path that `modulePath` gives. */
  readonly modules: ReadonlyMap<string, KernelModule>;
  /** Files that go in as they are, for instance the provenance. */
  readonly extraFiles: readonly LayerFile[];
}

export interface Layer extends NewLayer {
  readonly files: readonly LayerFile[];
  /** In-tree modules that our modules take the place of, with both paths. */
  readonly overridden: readonly { readonly name: string; readonly winner: string; readonly loser: string }[];
  /** Index files that were replaced, by name. */
  readonly indexes: readonly string[];
  /** The initramfs, when a module is to be in it. */
  readonly initramfs: LayeredInitramfs | undefined;
  /** What the base said, and what modprobe will find on a node. */
  readonly tree: LayeredTree;
}

/** The module tree that a layer makes of its base's, as far as it was read. */
export interface LayeredTree {
  readonly base: Base;
  /** What the base's kernel asks of modules. */
  readonly kernelFiles: KernelFiles;
  /** Symbols that the kernel and its modules export, from `symvers`. */
  readonly symvers: ReadonlyMap<string, KernelSymbol> | undefined;
  /** All index files of the merged tree. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  readonly depmodConfig: DepmodConfig;
}

/**
 * Lays out the layer of a driver set: modules, their configuration, firmware, and the depmod indexes of the base with
 * the modules merged in. Reads of the base only its indexes, and what its kernel exports.
 *
 * @throws {LayerError} `INDEX_NOT_FOUND`, `PATH_CONFLICT`, `PATH_INVALID`; {ModuleError} `OVERRIDE_UNDECLARED` and as
 *   `mergeIndexes` does.
 */
export async function layer(
  request: LayerRequest,
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<Layer> {
  const { image, kernel, drivers, modules } = request;
  const base = await readBase(image, kernel, io);
  const kernelFiles = await readKernelFiles(image, kernel, io);
  const symvers = await readSymvers(kernelFiles, io);
  const added = [...modules].map(([path, module]) => ({ path, module }));
  requireDeclared(drivers, base.indexes, modulePath);
  const placed = drivers.flatMap((driver) => placeDriver(driver, kernel));
  const ownConfig = new Map(
    placed.filter(({ path }) => path.includes('/depmod.d/')).map(({ path, bytes }) => [path, bytes]),
  );
  const merged = await mergeWithBase({ image, base, kernel, added, ownConfig, symvers }, io);
  const files = [
    ...placed,
    ...[...merged.files].map(([name, bytes]) => ({ path: `usr/lib/modules/${kernel}/${name}`, bytes })),
    ...request.extraFiles,
  ];
  const indexes = new Map([...base.indexes, ...merged.files]);
  const initramfs = await layeredInitramfs({ image, kernel, drivers, indexes }, io);
  return {
    ...(initramfs === undefined
      ? await makeLayer(files)
      : await makeStreamedLayer([...files, initramfs.file])),
    files,
    initramfs,
    overridden: merged.overridden,
    indexes: [...merged.files.keys()].sort(),
    tree: {
      base,
      kernelFiles,
      symvers,
      indexes,
      depmodConfig: depmodConfig({ base, ownConfig }),
    },
  };
}

/** Largest `symvers`, unpacked: 32 MiB; that of a kernel has 2 MB. */
const MAX_SYMVERS_BYTES = 32 * 1024 ** 2;

/**
 * What the base's kernel exports. Undefined, with a warning, when the base does not say.
 *
 * @throws {ModuleError} `INDEX_INVALID`, `COMPRESSION_INVALID`, `COMPRESSION_UNSUPPORTED`, `LIMIT_EXCEEDED`.
 */
export async function readSymvers(
  { symvers }: Pick<KernelFiles, 'symvers'>,
  io: Pick<Io, 'report'>,
): Promise<ReadonlyMap<string, KernelSymbol> | undefined> {
  if (symvers !== undefined) {
    const text = await decompressModule(symvers.bytes, { maxBytes: MAX_SYMVERS_BYTES });
    return parseSymvers(text.toString('latin1'));
  }
  io.report({
    type: 'warning',
    message: 'the base has no symvers: whether the kernel exports what the modules need cannot be checked',
    hint: 'Images of RHEL have symvers.gz or symvers.xz beside the kernel.',
  });
  return undefined;
}

/**
 * Taking the place of a module of the base must be said in the spec: it changes what runs on the node.
 *
 * @param indexes Of the base.
 * @throws {ModuleError} `OVERRIDE_UNDECLARED`, `DUPLICATE_MODULE`.
 */
export function requireDeclared(
  drivers: readonly PlacedDriver[],
  indexes: ReadonlyMap<string, Uint8Array>,
  pathOf: (driver: string, fileName: string) => string,
): void {
  const inBase = new Map<string, string>();
  for (const line of textOf(indexes.get('modules.dep')).split('\n')) {
    const path = line.slice(0, Math.max(line.indexOf(':'), 0));
    if (path !== '') inBase.set(moduleNameOfPath(path), path);
  }
  // The text form lies with the kernel, in a layer that is not read; depmod writes the binary one beside its indexes.
  const builtInIndex = indexes.get('modules.builtin.bin');
  const builtIn = new Set(builtInIndex === undefined ? [] : readIndex(builtInIndex).map(({ key }) => key));
  for (const driver of drivers) {
    for (const { name, fileName, replaces } of driver.modules) {
      if (builtIn.has(name)) {
        throw new ModuleError('DUPLICATE_MODULE', `Cannot add ${fileName}: the kernel has ${name} built in`, {
          hint: 'A driver that is built into the kernel cannot be replaced by a module.',
        });
      }
      const twin = inBase.get(name);
      if (twin === undefined || twin === pathOf(driver.name, fileName) || replaces.includes(name)) continue;
      throw new ModuleError(
        'OVERRIDE_UNDECLARED',
        `Cannot add ${fileName}: it would take the place of ${twin}`,
        {
          hint: `If that is wanted, say "replaces: [${name}]" for the module in the spec.`,
        },
      );
    }
  }
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined
    ? ''
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
