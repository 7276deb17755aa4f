import { resolve } from 'node:path';
import type { EngineOptions } from '../src/engine/engine.ts';
import type { Engine } from '../src/engine/engine.ts';
import type { Io } from '../src/io.ts';
import { makeImages } from '../src/registry/images.ts';
import type { CliContext } from './context.ts';
import type { ImageFlags } from './flags.ts';
import { makeCache } from './io/cache.ts';
import { cacheDirectory } from './io/directories.ts';
import { makeFiles } from './io/files.ts';
import { makeKeepLog } from './io/logs.ts';
import { makeTemporary } from './io/temporary.ts';
import { makeReport } from './report/event-text.ts';

/** Flags of commands that compile as well. */
export interface IoFlags extends ImageFlags {
  /** Program of the container engine. */
  readonly engine?: string;
}

/** The outside world of one command, as its flags and the environment describe it. */
export async function makeIo(context: CliContext, flags: IoFlags): Promise<Io> {
  const { env, cwd, signal } = context;
  const now = (): Date => new Date();
  const report = makeReport(context, flags);
  const inCwd = (path: string): string => resolve(cwd, path);
  const authFile = flags.authfile === undefined ? undefined : inCwd(flags.authfile);
  const { makeSources } = await import('../src/engine/make-sources.ts');
  let engine: Promise<Engine> | undefined;
  return {
    images: makeImages({
      authFile,
      insecureRegistries: flags.insecureRegistry ?? [],
      caFiles: (flags.caFile ?? []).map(inCwd),
      certDirs: (flags.certDir ?? []).map(inCwd),
      env,
      report,
      signal,
    }),
    cache: makeCache(cacheDirectory(env)),
    files: makeFiles(cwd),
    engine: () => (engine ??= findEngineOf(engineFlags(flags, { authFile, inCwd }), context)),
    sources: makeSources(),
    withTemporaryDirectory: makeTemporary(context),
    keepLog: makeKeepLog({ env, now }),
    env,
    now,
    report,
    signal,
  };
}

async function findEngineOf(options: Partial<EngineOptions>, { env, signal }: CliContext): Promise<Engine> {
  const { findEngine, readEngineOptions } = await import('../src/engine/find-engine.ts');
  return findEngine({ ...readEngineOptions(env), ...options }, signal);
}

/** What the flags say of the engine; what they leave out comes from the environment. */
function engineFlags(
  flags: IoFlags,
  { authFile, inCwd }: { authFile: string | undefined; inCwd: (path: string) => string },
): Partial<EngineOptions> {
  const certificateDirectory = flags.certDir?.[0];
  return {
    ...(flags.engine === undefined ? {} : { program: flags.engine }),
    ...(authFile === undefined ? {} : { authFile }),
    ...(certificateDirectory === undefined ? {} : { certificateDirectory: inCwd(certificateDirectory) }),
    ...((flags.insecureRegistry ?? []).length === 0 ? {} : { isInsecure: true }),
  };
}
