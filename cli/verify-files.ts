import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ModuleError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { readModule } from '../src/kmod/read-module.ts';
import type { KernelFile, KernelFiles } from '../src/layer/kernel-files.ts';
import type { Arch } from '../src/oci/arch.ts';
import { formatReference } from '../src/oci/reference.ts';
import { osKernel } from '../src/resolve/os-kernel.ts';
import type { Certificate } from '../src/sign/certificate.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import { addedFiles, placeModules } from '../src/verify/foreign-modules.ts';
import { archOf, otherKernel } from '../src/verify/image-report.ts';
import { prove } from '../src/verify/prove-on-base.ts';
import type { ProvenTarget } from '../src/verify/proven-target.ts';
import { makeTargetReport } from '../src/verify/target-report.ts';
import { proveModules } from '../src/verify/verify-kmod-image.ts';
import { type BaseDirectory, mergeIntoDirectory, openBaseDirectory } from './base-directory.ts';
import type { NamedImage } from './open-named-image.ts';

/** A module that the user named. */
export interface GivenFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Verifies files against the kernel of an OS image.
 *
 * @throws {ResolveError} `KERNEL_UNKNOWN`; {LayerError} `INDEX_NOT_FOUND`; {ModuleError} as the proof does.
 */
export async function verifyFilesOnImage(
  files: readonly GivenFile[],
  {
    reference,
    image,
    kernel,
    certificates,
  }: NamedImage & {
    readonly kernel: KernelRelease | undefined;
    readonly certificates: readonly Certificate[] | undefined;
  },
  io: Io,
): Promise<ProvenTarget> {
  const arch = archOf(image);
  const booted = (await osKernel(image, arch, io)).release;
  const modules = files.map(({ name, bytes }) => ({ name, fileName: basename(name), bytes }));
  const { tree, evidence, added } = await proveModules(
    { base: image, kernel: booted, arch, modules, certificates },
    io,
  );
  const report = makeTargetReport({
    subject: formatReference(reference),
    kernel: { release: booted, arch },
    tree,
    findings: kernel === undefined || kernel === booted ? [] : [otherKernel(kernel, booted)],
    evidence,
  });
  return { report, source: { type: 'image', image }, added };
}

/**
 * Verifies files against a kernel whose modules are in a directory.
 *
 * @throws {SpecError} `USAGE` when the directory has no indexes of that kernel; {ModuleError} as the proof does.
 */
export async function verifyFilesOnDirectory(
  files: readonly GivenFile[],
  {
    subject,
    directory,
    kernel,
    arch,
    certificates,
  }: {
    /** As the user named it. */
    readonly subject: string;
    readonly directory: string;
    readonly kernel: KernelRelease;
    readonly arch: Arch | undefined;
    readonly certificates: readonly Certificate[] | undefined;
  },
  io: Pick<Io, 'report'>,
): Promise<ProvenTarget> {
  const base = await openBaseDirectory(directory, kernel);
  const kernelFiles = await findKernelFiles(base, kernel);
  const placed = await placeModules(
    files.map(({ name, bytes }) => ({ name, fileName: basename(name), bytes })),
  );
  const merged = await tryMerge(() => mergeIntoDirectory(base, placed.added, kernel));
  const facts = { release: kernel, arch: arch ?? (await archOfKernel(kernelFiles)) };
  const { tree, evidence } = await prove(
    {
      kernel: facts,
      kernelFiles,
      modules: placed.modules,
      indexes: merged === undefined ? new Map() : new Map([...base.indexes, ...merged.files]),
      baseIndexes: base.indexes,
      certificates,
      readBaseModules: async (paths) =>
        new Map(
          await Promise.all(
            paths.map(async (path) => [path, await readFile(join(base.directory, path))] as const),
          ),
        ),
    },
    io,
  );
  return {
    report: makeTargetReport({ subject, kernel: facts, tree: placed.named(tree), evidence }),
    source: { type: 'directory', path: base.root ?? base.directory },
    added: addedFiles(kernel, placed, merged?.files),
  };
}

/** Where distributions keep what a kernel was built with and what it exports. */
async function findKernelFiles(
  { root = '', directory, indexes }: BaseDirectory,
  kernel: KernelRelease,
): Promise<KernelFiles> {
  const [first] = Buffer.from(indexes.get('modules.dep') ?? [])
    .toString('latin1')
    .split('\n')
    .flatMap((line) => (line.startsWith('kernel/') ? [line.slice(0, line.indexOf(':'))] : []));
  return {
    symvers: await firstOf([
      ...['symvers.gz', 'symvers.xz', 'symvers', 'build/Module.symvers'].map((name) => join(directory, name)),
      ...(root === ''
        ? []
        : [
            ...['.gz', '.xz'].map((end) => join(root, `boot/symvers-${kernel}${end}`)),
            ...['usr/src/kernels/', 'usr/src/linux-headers-'].map((at) =>
              join(root, `${at}${kernel}`, 'Module.symvers'),
            ),
          ]),
    ]),
    config: await firstOf([
      join(directory, 'config'),
      ...(root === '' ? [] : [join(root, `boot/config-${kernel}`)]),
      join(directory, 'build/.config'),
    ]),
    module: first === undefined ? undefined : await firstOf([join(directory, first)]),
  };
}

async function firstOf(paths: readonly string[]): Promise<KernelFile | undefined> {
  for (const path of paths) {
    try {
      return { name: path, bytes: await readFile(path) };
    } catch {
      // Not there, or not for us: the next place may have it.
    }
  }
  return undefined;
}

/** That of the kernel's own modules. @throws {ModuleError} `ARCH_MISMATCH` when none could be read. */
async function archOfKernel({ module }: KernelFiles): Promise<Arch> {
  const arch = module === undefined ? undefined : readModule(await decompressModule(module.bytes)).arch;
  if (arch !== undefined) return arch;
  throw new ModuleError(
    'ARCH_MISMATCH',
    'Cannot tell the architecture of the kernel: it has no module to read',
    {
      hint: 'Say it with --arch.',
    },
  );
}

async function tryMerge<T>(merge: () => Promise<T>): Promise<T | undefined> {
  try {
    return await merge();
  } catch (error) {
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
}
