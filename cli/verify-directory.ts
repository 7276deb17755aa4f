import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { ModuleError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { readModule } from '../src/kmod/read-module.ts';
import type { KernelFile, KernelFiles } from '../src/layer/kernel-files.ts';
import type { Arch } from '../src/oci/arch.ts';
import type { Certificate } from '../src/sign/certificate.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import { addedFiles, placeModules } from '../src/verify/foreign-modules.ts';
import { prove } from '../src/verify/prove-on-base.ts';
import type { ProvenTarget } from '../src/verify/proven-target.ts';
import { makeTargetReport } from '../src/verify/target-report.ts';
import type { TreeModule, UnpackModule } from '../src/verify/verify-tree.ts';
import { type BaseDirectory, mergeIntoDirectory, openBaseDirectory } from './base-directory.ts';
import { openReaderPool, type ReaderPool } from './module-reader/pool.ts';
import { type GivenFile, readAll } from './verify-files.ts';

export interface VerifyDirectoryOptions {
  /** As the user named it. */
  readonly subject: string;
  readonly directory: string;
  readonly kernel: KernelRelease;
  readonly arch: Arch | undefined;
  readonly certificates: readonly Certificate[] | undefined;
  /** Where relative names of files start. */
  readonly cwd: string;
}

/** From so many modules on it pays to read them in another thread, and from so many on in several. */
const [SOME, MANY] = [16, 200];
/** Bytes of files that are unpacked while the indexes are read: what comes out, some times as much, waits in memory. */
const EARLY_BYTES = 8 * 1024 ** 2;

/**
 * Verifies files against a kernel whose modules are in a directory, or all of these modules. Files of the directory are
 * verified where they are; others as if they were installed there.
 *
 * @param files Undefined: all modules that the indexes name.
 * @throws {SpecError} `USAGE` when the directory has no indexes of that kernel; {ModuleError} as the proof does.
 */
export async function verifyOnDirectory(
  files: readonly GivenFile[] | undefined,
  options: VerifyDirectoryOptions,
  io: Pick<Io, 'report'>,
): Promise<ProvenTarget> {
  // Threads take as long to start as the indexes to read.
  const count = files?.length ?? MANY;
  const pool = count < SOME ? undefined : openReaderPool(count < MANY ? { threads: 1 } : {});
  try {
    return await verifyWith(pool, files, options, io);
  } finally {
    await pool?.close();
  }
}

async function verifyWith(
  pool: ReaderPool | undefined,
  files: readonly GivenFile[] | undefined,
  { subject, directory, kernel, arch, certificates, cwd }: VerifyDirectoryOptions,
  io: Pick<Io, 'report'>,
): Promise<ProvenTarget> {
  const base = await openBaseDirectory(directory, kernel);
  const known = listModules(base);
  const { own, foreign } =
    files === undefined
      ? { own: known, foreign: [] }
      : await partFiles(files, known, { directory: base.directory, cwd });
  // Asked for first, since all else waits for it.
  const kernelModule = readKernelModule(base, known, pool);
  if (own.length > 0) pool?.expect(await listEarly(base.directory, own));
  const kernelFiles = { ...(await findKernelFiles(base, kernel)), module: await kernelModule };
  const placed = await placeModules(await readAll(foreign));
  const merged =
    placed.added.length === 0
      ? { files: new Map<string, Uint8Array>() }
      : await tryMerge(() => mergeIntoDirectory(base, placed.added, kernel));
  const facts = { release: kernel, arch: arch ?? (await archOfKernel(kernelFiles)) };
  const readBase = (path: string): Promise<Buffer> => readFile(join(base.directory, path));
  const { tree, evidence } = await prove(
    {
      kernel: facts,
      kernelFiles,
      modules: [
        ...own.map((path): TreeModule => ({ path, read: () => readBase(path), isOfBase: true })),
        ...placed.modules,
      ],
      indexes: merged === undefined ? new Map() : new Map([...base.indexes, ...merged.files]),
      baseIndexes: base.indexes,
      certificates,
      unpack:
        pool === undefined ? undefined : unpackWith(pool, { directory: base.directory, count: own.length }),
      ...(files === undefined ? { files: await listFiles(base.directory), depmodConfig: base.config } : {}),
      readBaseModules: async (paths) =>
        new Map(await Promise.all(paths.map(async (path) => [path, await readBase(path)] as const))),
    },
    io,
  );
  return {
    report: makeTargetReport({ subject, kernel: facts, tree: placed.named(tree), evidence }),
    source: { type: 'directory', path: base.root ?? base.directory },
    added: addedFiles(kernel, placed, merged?.files),
  };
}

/** Threads end with the last module that they read: what they hold would stay while all modules are linked. */
function unpackWith(
  pool: ReaderPool,
  { directory, count }: { readonly directory: string; readonly count: number },
): UnpackModule {
  let left = count;
  return async ({ path, read, isOfBase = false }) => {
    if (!isOfBase) return decompressModule(await read());
    try {
      return await pool.read(join(directory, path));
    } finally {
      if (--left === 0) void pool.close();
    }
  };
}

/** The first of the modules, as many as may wait in memory. */
async function listEarly(directory: string, paths: readonly string[]): Promise<readonly string[]> {
  const early: string[] = [];
  let sizeBytes = 0;
  for (const path of paths) {
    const file = join(directory, path);
    sizeBytes += await stat(file).then(
      ({ size }) => size,
      () => 0,
    );
    if (sizeBytes > EARLY_BYTES) break;
    early.push(file);
  }
  return early;
}

/** Paths of the modules that `modules.dep` names. */
function listModules({ indexes }: BaseDirectory): readonly string[] {
  const lines = Buffer.from(indexes.get('modules.dep') ?? [])
    .toString('latin1')
    .split('\n');
  return lines.flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':'))] : []));
}

/** Parts files of the directory from others. A module that the indexes do not name is no part of the base. */
async function partFiles(
  files: readonly GivenFile[],
  known: readonly string[],
  { directory, cwd }: Pick<VerifyDirectoryOptions, 'directory' | 'cwd'>,
): Promise<{ readonly own: readonly string[]; readonly foreign: readonly GivenFile[] }> {
  const names = new Set(known);
  const root = await realpath(directory);
  const own: string[] = [];
  const foreign: GivenFile[] = [];
  for (const file of files) {
    const path = relative(root, await realpath(resolve(cwd, file.name)).catch(() => file.name));
    if (!isAbsolute(path) && names.has(path)) own.push(path);
    else foreign.push(file);
  }
  return { own, foreign };
}

async function listFiles(directory: string): Promise<readonly string[]> {
  const files = await readdir(directory, { recursive: true, encoding: 'utf8' });
  return files.filter((path) => /\.ko(?:\.(?:gz|xz|zst))?$/.test(path));
}

/** Where distributions keep what a kernel was built with and what it exports. */
async function findKernelFiles(
  { root = '', directory }: BaseDirectory,
  kernel: KernelRelease,
): Promise<Omit<KernelFiles, 'module'>> {
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
  };
}

/** One of the kernel's own modules; unpacked by a thread where there is one, which has done more of it. */
async function readKernelModule(
  { directory }: BaseDirectory,
  known: readonly string[],
  pool: ReaderPool | undefined,
): Promise<KernelFile | undefined> {
  const first = known.find((path) => path.startsWith('kernel/'));
  if (first === undefined) return undefined;
  const file = join(directory, first);
  const unpacking = pool?.read(file).catch(() => undefined);
  const found = await firstOf([file]);
  return found === undefined ? undefined : { ...found, plain: await unpacking };
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
  const arch =
    module === undefined
      ? undefined
      : readModule(module.plain ?? (await decompressModule(module.bytes))).arch;
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
