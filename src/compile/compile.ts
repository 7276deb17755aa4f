import { join } from 'node:path';
import type { BuildRequest, Engine } from '../engine/engine.ts';
import { CompileError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Arch } from '../oci/arch.ts';
import { digestOf, makeHasher, type Digest } from '../oci/digest.ts';
import type { Target } from '../resolve/target.ts';
import type { Driver, DriverSet } from '../spec/driver-set.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { moduleNameOfPath, type ModuleName } from '../spec/module-name.ts';
import { pathFrom } from '../spec/paths.ts';
import { withoutCredentials } from '../without-credentials.ts';
import { makeAssets, makeBuilds, type BuildInputs } from './builds.ts';
import { collectModules, mergeSymvers } from './collected.ts';
import { explainFailure } from './explain-failure.ts';
import { makeLog } from './log.ts';

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
  /** `Module.symvers` of the drivers that this one needs, by driver name. */
  readonly symvers?: Readonly<Record<string, string>>;
  /** Processes that the build may run at a time, for `make -j`; 1 when absent. No input: the modules are the same. */
  readonly makeJobs?: number;
  /** Finds what the same source gave before, once the source is there and before anything runs. */
  readonly findKept?: (source: CompiledSource) => Promise<CompiledDriver | undefined>;
}

/** What compiling needs of the outside world. */
export type CompileIo = Pick<
  Io,
  'engine' | 'sources' | 'files' | 'withTemporaryDirectory' | 'openLog' | 'report' | 'signal'
>;

/** What a driver's modules were made from; goes into labels, so nothing in it is secret. */
export type CompiledSource =
  | { readonly type: 'directory'; readonly digest: Digest }
  | {
      readonly type: 'git';
      readonly url: string;
      readonly ref: string;
      readonly commit: string;
      readonly digest: Digest;
    }
  | { readonly type: 'files'; readonly digest: Digest };

/** A module as the driver's build left it: not signed by us, debug sections stripped, maybe compressed when prebuilt. */
export interface CompiledModule {
  readonly name: ModuleName;
  /** For instance `ice.ko`. */
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

/** The modules of one driver for one kernel. */
export interface CompiledDriver {
  readonly driver: string;
  readonly kernel: KernelRelease;
  /** The modules that the spec names, in its order. */
  readonly modules: readonly CompiledModule[];
  /** Symbols that the driver exports, for drivers that need them; undefined when it left no `Module.symvers`. */
  readonly symvers: string | undefined;
  readonly source: CompiledSource;
  /** File with everything that the build printed; undefined when nothing was built now. */
  readonly logFile?: string | undefined;
}

/**
 * Makes the modules of one driver for one kernel, in the driver-toolkit of a target, or reads them when the driver
 * brings them along. Same source, same driver-toolkit: same bytes.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`, `TOOLCHAIN_MISMATCH`, `COMPILE_FAILED` (with `logTail` and `logFile`),
 *   `MODULE_MISSING`, `ENGINE_MISSING`, `ENGINE_FAILED`.
 * @throws {RegistryError} when the driver-toolkit cannot be fetched.
 */
export async function compile(request: CompileRequest, io: CompileIo): Promise<CompiledDriver> {
  io.signal.throwIfAborted();
  const { driver } = request;
  if (driver.source.type === 'files') return readPrebuilt(request, driver.source.paths, io);
  return io.withTemporaryDirectory(async (directory) => {
    const { context, source } = await fetchSource(request, directory, io);
    const kept = await request.findKept?.(source);
    if (kept !== undefined) return kept;
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

async function fetchSource(
  { driver, set, commit }: CompileRequest,
  directory: string,
  io: CompileIo,
): Promise<{ readonly context: string; readonly source: CompiledSource }> {
  const { source } = driver;
  if (source.type === 'git') {
    const pinned = commit ?? (await io.sources.resolveGit(source, io.signal));
    const context = join(directory, 'source');
    await io.sources.checkOutGit(source, pinned, context, io.signal);
    const digest = await io.sources.digestDirectory(context, io.signal);
    const { ref } = source;
    return {
      context,
      source: { type: 'git', url: withoutCredentials(source.url), ref, commit: pinned, digest },
    };
  }
  if (source.type !== 'directory') throw new TypeError(`No directory for a source of type ${source.type}`);
  const context = pathFrom(set.file, source.path);
  const digest = await io.sources.digestDirectory(context, io.signal);
  return { context, source: { type: 'directory', digest } };
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
  const inputs = { ...paths, image, userContainerfile: await readContainerfile(request, io) };
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

/** Modules that are there already need no engine at all. */
async function readPrebuilt(
  request: CompileRequest,
  paths: readonly string[],
  io: CompileIo,
): Promise<CompiledDriver> {
  const hasher = makeHasher();
  const contents = new Map<string, Uint8Array>();
  for (const path of paths) {
    const bytes = await readModuleFile(pathFrom(request.set.file, path), io);
    contents.set(path, bytes);
    hasher.update(Buffer.from(JSON.stringify([moduleNameOfPath(path), digestOf(bytes)])));
  }
  const read = (path: string): Promise<Uint8Array> => Promise.resolve(contents.get(path) ?? new Uint8Array());
  const files = [...contents.keys()];
  return {
    driver: request.driver.name,
    kernel: request.kernel,
    modules: await collectModules(request, { files, read, report: io.report, directory: '' }),
    symvers: undefined,
    source: { type: 'files', digest: hasher.digest() },
  };
}

async function readModuleFile(path: string, io: CompileIo): Promise<Uint8Array> {
  try {
    return await io.files.read(path);
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read the module ${path}`, {
      cause: error,
      hint: 'Check "source.files"; relative paths start at the spec.',
    });
  }
}
