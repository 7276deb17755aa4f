import { join } from 'node:path';
import type { BuildRequest, Engine } from '../engine/engine.ts';
import { CompileError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Arch } from '../oci/arch.ts';
import type { Digest } from '../oci/digest.ts';
import type { Target } from '../resolve/target.ts';
import type { Driver, DriverSet } from '../spec/driver-set.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import type { ModuleName } from '../spec/module-name.ts';
import { pathFrom } from '../spec/paths.ts';
import { makeAssets, makeBuilds, type BuildInputs } from './builds.ts';
import { collectModules, mergeSymvers } from './collected.ts';
import { explainFailure } from './explain-failure.ts';
import { type CompiledSource, fetchSource, readSpecFile } from './fetch-source.ts';
import { type KmmBuild, readKmmModule } from './kmm-module.ts';
import { makeLog } from './log.ts';
import { readPrebuilt } from './prebuilt.ts';

export type { CompiledSource } from './fetch-source.ts';

/** One driver to compile for one kernel. */
export interface CompileRequest {
  /** The set that the driver is of: relative paths start at its file. */
  readonly set: Pick<DriverSet, 'file'>;
  readonly driver: Driver;
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  /** The target whose driver-toolkit compiles. */
  readonly target: Pick<Target, 'driverToolkit' | 'rhelVersion'>;
  /** Commit that a lockfile pins a git source to; the one that its `ref` stands for now when absent. */
  readonly commit?: string;
  /** Image that a source of images is pinned to, for this kernel; the one that its tag stands for now when absent. */
  readonly imageDigest?: Digest;
  /** `Module.symvers` of the drivers that this one needs, by driver name. */
  readonly symvers?: Readonly<Record<string, string>>;
  /** Processes that the build may run at a time, for `make -j`; 1 when absent. No input: the modules are the same. */
  readonly makeJobs?: number;
}

/** What compiling needs of the outside world. */
export type CompileIo = Pick<
  Io,
  | 'engine'
  | 'images'
  | 'cache'
  | 'sources'
  | 'files'
  | 'withTemporaryDirectory'
  | 'openLog'
  | 'report'
  | 'signal'
>;

/** A module as the driver's build left it: not signed by us, debug sections stripped, maybe compressed when prebuilt. */
export interface CompiledModule {
  readonly name: ModuleName;
  /** For instance `ice.ko`. */
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

/** Where modules come from that were compiled for another kernel, and were proven to load on this one. */
export interface MadeFor {
  readonly kernel: KernelRelease;
  /** The image that they were taken out of, by digest. */
  readonly image: string;
  /** Symbols that the modules import, each of which holds. */
  readonly symbols: number;
}

/** The modules of one driver for one kernel. */
export interface CompiledDriver {
  readonly driver: string;
  readonly kernel: KernelRelease;
  /** The modules that the spec names, in its order. */
  readonly modules: readonly CompiledModule[];
  /** Symbols that the driver exports, for drivers that need them; undefined when it left no `Module.symvers`. */
  readonly symvers: string | undefined;
  /** Firmware that came with the modules, by its path below `usr/lib/firmware`; none when absent. */
  readonly firmware?: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly source: CompiledSource;
  /** Undefined for modules that were made for this very kernel. */
  readonly madeFor?: MadeFor | undefined;
  /** File with everything that the build printed; undefined when nothing was built now. */
  readonly logFile?: string | undefined;
}

/**
 * Makes the modules of one driver for one kernel, in the driver-toolkit of a target, or reads them when the driver
 * brings them along. Same source, same driver-toolkit: same bytes.
 *
 * @throws {CompileError} as `fetchSource`, `TOOLCHAIN_MISMATCH`, `KERNEL_EXCLUDED`, `COMPILE_FAILED` (with `logTail` and `logFile`),
 *   `MODULE_MISSING`, `ENGINE_MISSING`, `ENGINE_FAILED`.
 * @throws {RegistryError} when the driver-toolkit cannot be fetched.
 */
export async function compile(request: CompileRequest, io: CompileIo): Promise<CompiledDriver> {
  io.signal.throwIfAborted();
  const { driver } = request;
  const prebuilt = await readPrebuilt(request, io);
  if (prebuilt !== undefined) return prebuilt;
  return io.withTemporaryDirectory(async (directory) => {
    const { context, source } = await fetchSource(request, directory, io);
    const engine = await io.engine();
    const outputDirectory = join(directory, 'output');
    const logFile = await buildAndExplain(engine, request, { context, outputDirectory }, io);
    const files = await io.files.list(outputDirectory);
    const read = (path: string): Promise<Uint8Array> => io.files.read(join(outputDirectory, path));
    return {
      driver: driver.name,
      kernel: request.kernel,
      modules: await collectModules(request, { files, read, report: io.report }),
      symvers: await mergeSymvers(files, read),
      source,
      logFile,
    };
  });
}

/** Returns the path of the log, where one could be kept. */
async function buildAndExplain(
  engine: Engine,
  request: CompileRequest,
  paths: Pick<BuildInputs, 'context'> & Pick<BuildRequest, 'outputDirectory'>,
  io: CompileIo,
): Promise<string | undefined> {
  const { arch, driver, kernel, target } = request;
  const image = await engine.pull({ image: target.driverToolkit.location, arch, signal: io.signal });
  const inputs = {
    ...paths,
    image,
    userContainerfile: await readContainerfile(request, io),
    kmm: await readModule(request, io),
  };
  const log = makeLog();
  const file = await io.openLog(`${driver.name}-${kernel}.log`);
  try {
    await engine.build({
      builds: makeBuilds(request, inputs),
      assets: makeAssets(request),
      arch,
      outputDirectory: paths.outputDirectory,
      onLine: (line) => {
        log.add(line);
        file.add(line);
        io.report({ type: 'compile-output', target: `${driver.name} for ${kernel}`, line });
      },
      signal: io.signal,
    });
  } catch (error) {
    if (!(error instanceof CompileError) || io.signal.aborted) throw error;
    throw explainFailure(error, { request, log, logFile: file.path });
  } finally {
    await file.close();
  }
  return file.path;
}

async function readModule(
  { driver, kernel, set }: CompileRequest,
  io: CompileIo,
): Promise<KmmBuild | undefined> {
  const { source } = driver;
  if (source.type !== 'module') return undefined;
  const file = pathFrom(set.file, source.path);
  const text = Buffer.from(await readSpecFile(file, io)).toString('utf8');
  return readKmmModule(text, { file, kernel, name: source.name });
}

/**
 * The user's own Containerfile; undefined when the driver has none.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`.
 */
export async function readContainerfile(
  { driver, set }: Pick<CompileRequest, 'driver' | 'set'>,
  io: Pick<Io, 'files'>,
): Promise<string | undefined> {
  if (driver.build?.type !== 'containerfile') return undefined;
  const path = pathFrom(set.file, driver.build.path);
  try {
    return Buffer.from(await io.files.read(path)).toString('utf8');
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read the Containerfile ${path}`, {
      cause: error,
      hint: 'Check "build.containerfile"; relative paths start at the spec.',
    });
  }
}
