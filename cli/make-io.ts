import { join, resolve } from 'node:path';
import type { Engine, EngineOptions } from '../src/engine/engine.ts';
import type { Report } from '../src/events.ts';
import type { Io } from '../src/io.ts';
import { makeCredentials } from '../src/registry/credentials.ts';
import { makeImages } from '../src/registry/images.ts';
import { loadMirrors } from '../src/registry/mirror-files.ts';
import { makeWeb } from '../src/registry/web.ts';
import type { CliContext } from './context.ts';
import type { ImageFlags, ReleaseTrustFlags } from './flags.ts';
import { makeCache } from './io/cache.ts';
import { cacheDirectory } from './io/directories.ts';
import { makeFiles } from './io/files.ts';
import { makeOpenLog } from './io/logs.ts';
import { copyCertificates } from './io/certificates.ts';
import { releaseTrustOf } from './io/release-trust.ts';
import { writeRegistriesConf } from './io/registries-conf.ts';
import { makeProgramRunner } from './io/programs.ts';
import { makeTemporary } from './io/temporary.ts';
import { makeReport } from './report/event-text.ts';
import { withStatus } from './report/status.ts';

/** Flags of commands that compile as well. */
export interface IoFlags extends ImageFlags, ReleaseTrustFlags {
  /** Program of the container engine. */
  readonly engine?: string;
  /** Directory that receives the logs of compiles. */
  readonly logDir?: string;
}

/** What is kept of compiles: the modules of a driver for a hundred kernels are far less. */
const MAX_COMPILED_BYTES = 2 * 1024 ** 3;

/**
 * The outside world of one command, as its flags and the environment describe it.
 *
 * @param report Receives events; when absent, they are lines on stderr.
 */
export async function makeIo(
  context: CliContext,
  flags: IoFlags,
  report: Report = withStatus(makeReport(context, flags), context, flags),
): Promise<Io> {
  const { env, cwd, signal } = context;
  const now = (): Date => new Date();
  const inCwd = (path: string): string => resolve(cwd, path);
  const mirrorSets = [...(flags.idms ?? []), ...(flags.itms ?? []), ...(flags.icsp ?? [])].map(inCwd);
  const registriesConf = flags.registriesConf === undefined ? undefined : inCwd(flags.registriesConf);
  const mirrors = await loadMirrors({ files: mirrorSets, registriesConf, env });
  const authFile = flags.authfile === undefined ? undefined : inCwd(flags.authfile);
  const { makeSources } = await import('../src/engine/make-sources.ts');
  const withTemporaryDirectory = makeTemporary(context);
  const cache = makeCache(cacheDirectory(env));
  const files = makeFiles(cwd);
  const web = makeWeb({
    caFiles: (flags.caFile ?? []).map(inCwd),
    certDirs: (flags.certDir ?? []).map(inCwd),
    env,
    report,
    signal,
  });
  let engine: Promise<Engine> | undefined;
  const images = makeImages({
    authFile,
    mirrors,
    insecureRegistries: flags.insecureRegistry ?? [],
    caFiles: (flags.caFile ?? []).map(inCwd),
    certDirs: (flags.certDir ?? []).map(inCwd),
    env,
    cwd,
    report,
    signal,
  });
  return {
    images,
    web,
    releaseTrust: releaseTrustOf(flags, cwd, { web, files, cache, report, now, signal }),
    cache,
    compiled: makeCache(join(cacheDirectory(env), 'compiled'), { maxBytes: MAX_COMPILED_BYTES }),
    files,
    engine: () =>
      (engine ??= findEngineOf(context, async () => ({
        ...engineFlags(flags, authFile),
        ...{ images, credentials: makeCredentials({ authFile, env, signal }) },
        ...(await certificatesOf(flags, { context, inCwd })),
        ...(mirrorSets.length > 0
          ? { registriesFile: await writeRegistriesConf(mirrors, context) }
          : registriesConf === undefined
            ? {}
            : { registriesFile: registriesConf }),
      }))),
    emulator: async (arch) => {
      const { findQemu } = await import('../src/engine/qemu.ts');
      return findQemu(arch, { env, withTemporaryDirectory, report, signal });
    },
    sources: makeSources({ web, directory: join(cacheDirectory(env), 'downloads') }),
    runProgram: makeProgramRunner(context),
    withTemporaryDirectory,
    openLog: makeOpenLog({
      ...{ env, now, report },
      directory: flags.logDir === undefined ? undefined : inCwd(flags.logDir),
    }),
    env,
    now,
    report,
    signal,
  };
}

async function findEngineOf(
  { env, signal }: CliContext,
  options: () => Promise<Partial<EngineOptions>>,
): Promise<Engine> {
  const { findEngine, readEngineOptions } = await import('../src/engine/find-engine.ts');
  return findEngine({ ...readEngineOptions(env), ...(await options()) }, signal);
}

/** What the flags say of the engine; what they leave out comes from the environment. */
function engineFlags(flags: IoFlags, authFile: string | undefined): Partial<EngineOptions> {
  return {
    ...(flags.engine === undefined ? {} : { program: flags.engine }),
    ...(authFile === undefined ? {} : { authFile }),
    ...((flags.insecureRegistry ?? []).length === 0 ? {} : { isInsecure: true }),
  };
}

/** An engine takes one directory: CAs that were given as files are put into one that goes away with the process. */
async function certificatesOf(
  flags: IoFlags,
  { context, inCwd }: { context: CliContext; inCwd: (path: string) => string },
): Promise<Pick<EngineOptions, 'certificateDirectory'>> {
  const [directory] = flags.certDir ?? [];
  if (directory !== undefined) return { certificateDirectory: inCwd(directory) };
  const files = (flags.caFile ?? []).map(inCwd);
  return files.length === 0 ? {} : { certificateDirectory: await copyCertificates(files, context) };
}
