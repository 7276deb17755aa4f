import { ModuleError } from '../errors.ts';
import type { Io } from '../io.ts';
import { decompressModule } from '../kmod/compression.ts';
import type { DepmodConfig } from '../kmod/depmod/config.ts';
import { parseSymvers } from '../kmod/symvers.ts';
import { readBaseModules } from '../layer/base.ts';
import { type KernelFiles, readKernelFiles } from '../layer/kernel-files.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { Certificate } from '../sign/certificate.ts';
import type { HasFirmware } from './checks/firmware.ts';
import { type KernelFacts, readKernelFacts } from './kernel-facts.ts';
import type { ReadBaseModules } from './overrides.ts';
import type { TargetReport } from './report.ts';
import { verifyModule } from './verify-module.ts';
import { type TreeModule, type TreeReport, type UnpackModule, verifyTree } from './verify-tree.ts';

export interface ProveRequest {
  readonly kernelFiles: KernelFiles;
  /** Asked for modules of the base only where the small files do not tell. */
  readonly readBaseModules: ReadBaseModules;
  readonly kernel: Pick<KernelFacts, 'release' | 'arch'>;
  readonly modules: readonly TreeModule[];
  /** Index files of the tree with the modules in it; none: they are looked at one by one. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  readonly baseIndexes: ReadonlyMap<string, Uint8Array>;
  readonly depmodConfig?: DepmodConfig | undefined;
  readonly files?: readonly string[] | undefined;
  readonly certificates: readonly Certificate[] | undefined;
  readonly unpack?: UnpackModule | undefined;
  readonly hasFirmware?: HasFirmware | undefined;
}

export interface ProveOnBaseRequest extends Omit<ProveRequest, 'kernelFiles' | 'readBaseModules'> {
  /** The OS image whose kernel loads the modules. */
  readonly image: OpenedImage;
}

export interface ProvenTree {
  readonly tree: TreeReport;
  readonly evidence: TargetReport['evidence'];
}

/** Largest `symvers`, unpacked: 32 MiB; that of a kernel has 2 MB. */
const MAX_SYMVERS_BYTES = 32 * 1024 ** 2;

/**
 * Proves modules against the kernel of an OS image, from small files of its layers.
 *
 * @throws {ModuleError} for files of the base that cannot be read; {OciError} and {RegistryError} as reading layers does.
 */
export async function proveOnBase(
  { image, ...request }: ProveOnBaseRequest,
  io: Pick<Io, 'cache' | 'report'>,
): Promise<ProvenTree> {
  const { release } = request.kernel;
  return prove(
    {
      ...request,
      kernelFiles: await readKernelFiles(image, release, io),
      readBaseModules: (paths) => readBaseModules(image, { kernel: release, paths }, io),
    },
    io,
  );
}

/**
 * Proves modules against a kernel, from what was read of it.
 *
 * @throws {ModuleError} for files of the base that cannot be read.
 */
export async function prove(request: ProveRequest, io: Pick<Io, 'report'>): Promise<ProvenTree> {
  const { kernel, kernelFiles, baseIndexes } = request;
  const facts = await factsOf(kernel, kernelFiles, baseIndexes);
  if (facts.exports === undefined) {
    io.report({
      type: 'warning',
      message: 'the base has no symvers: whether the kernel exports what the modules need cannot be checked',
      hint: 'Images of RHEL have symvers.gz or symvers.xz beside the kernel.',
    });
  }
  const read = [kernelFiles.symvers, kernelFiles.config, kernelFiles.module].filter(
    (file) => file !== undefined,
  );
  return {
    tree: await proveTree(facts, request),
    evidence: [
      ...read.map(({ name, bytes }) => ({ name, sizeBytes: bytes.length })),
      ...[...baseIndexes].map(([name, bytes]) => ({ name, sizeBytes: bytes.length })),
    ],
  };
}

async function factsOf(
  kernel: ProveRequest['kernel'],
  { symvers, config, module }: KernelFiles,
  indexes: ReadonlyMap<string, Uint8Array>,
): Promise<KernelFacts> {
  const text =
    symvers === undefined
      ? undefined
      : await decompressModule(symvers.bytes, { maxBytes: MAX_SYMVERS_BYTES });
  return readKernelFacts({
    ...kernel,
    symvers: text === undefined ? undefined : parseSymvers(text.toString('latin1')),
    modules: module === undefined ? [] : [module.plain ?? module.bytes],
    // The text says the same, and is read in less time.
    builtins: indexes.get('modules.builtin') ?? indexes.get('modules.builtin.bin'),
    config: config?.bytes,
  });
}

async function proveTree(facts: KernelFacts, request: ProveRequest): Promise<TreeReport> {
  const { modules, indexes, baseIndexes, certificates, hasFirmware, readBaseModules: readModules } = request;
  if (indexes.has('modules.dep') && indexes.has('modules.symbols')) {
    try {
      return await verifyTree({
        kernel: facts,
        modules,
        indexes,
        baseIndexes,
        certificates,
        hasFirmware,
        unpack: request.unpack,
        readBaseModules: readModules,
        files: request.files,
        depmodConfig: request.depmodConfig,
      });
    } catch (error) {
      // Indexes that cannot be read are a finding of their own: modules are still looked at.
      if (!(error instanceof ModuleError) || error.code !== 'INDEX_INVALID') throw error;
    }
  }
  const reports = await Promise.all(
    modules.map(async ({ path, read, parameters }) =>
      verifyModule({
        path,
        bytes: await unpacked(await read()),
        kernel: facts,
        parameters,
        certificates,
        hasFirmware,
      }),
    ),
  );
  return { modules: reports, overrides: [] };
}

/** As they are when they do not unpack: they are no module then, and the report says so. */
async function unpacked(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await decompressModule(bytes);
  } catch (error) {
    if (error instanceof ModuleError) return bytes;
    throw error;
  }
}
