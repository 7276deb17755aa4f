import { CompileError, SpecError } from '../errors.ts';
import { isApiAddress } from './docker/address.ts';
import type { Engine, EngineOptions } from './engine.ts';

/** Options of an engine that may still have to be found. */
export type FindOptions = Omit<EngineOptions, 'program'> & Partial<Pick<EngineOptions, 'program'>>;

/** Engines in the order in which one is looked for. */
export const KNOWN_ENGINES = ['podman', 'buildah', 'docker'] as const;

/**
 * Finds the container engine that compiles: the one that was chosen, else the first of podman, buildah and a Docker API
 * that is there.
 *
 * @param options `program` is `podman` or `buildah`, a path whose last part starts with one of them, `docker`, or the
 *   address of an API.
 * @throws {CompileError} `ENGINE_MISSING`, `ENGINE_FAILED`.
 * @throws {SpecError} `USAGE` for an engine that this version does not know.
 */
export async function findEngine(options: FindOptions, signal: AbortSignal): Promise<Engine> {
  const { program } = options;
  if (program !== undefined) return openEngine({ ...options, program }, signal);
  for (const name of KNOWN_ENGINES) {
    const engine = await openUnlessMissing({ ...options, program: name }, signal);
    if (engine !== undefined) return engine;
  }
  throw new CompileError(
    'ENGINE_MISSING',
    'Cannot compile: there is neither podman nor buildah, and no Docker API answers',
    {
      hint: 'Install podman 4.2 or newer ("dnf install podman" or "apt-get install podman"), or name an engine with --engine.',
    },
  );
}

async function openUnlessMissing(options: EngineOptions, signal: AbortSignal): Promise<Engine | undefined> {
  try {
    return await openEngine(options, signal);
  } catch (error) {
    if (error instanceof CompileError && error.code === 'ENGINE_MISSING') return undefined;
    throw error;
  }
}

async function openEngine(options: EngineOptions, signal: AbortSignal): Promise<Engine> {
  if (isApiAddress(options.program)) {
    const { findDocker } = await import('./docker/docker-engine.ts');
    return findDocker(options, signal);
  }
  const name = options.program.slice(options.program.lastIndexOf('/') + 1);
  const { findProgramEngine } = await import('./program-engine.ts');
  if (name.startsWith('podman')) {
    return findProgramEngine((await import('./podman.ts')).PODMAN, options, signal);
  }
  if (name.startsWith('buildah')) {
    return findProgramEngine((await import('./buildah.ts')).BUILDAH, options, signal);
  }
  throw new SpecError('USAGE', `Cannot compile with ${JSON.stringify(options.program)}: not a known engine`, {
    hint: 'Use --engine podman, buildah, docker, a path to podman or buildah, or unix:///PATH of a Docker API.',
  });
}

/**
 * Engine options that a host needs, read from environment variables: `KMODLAYER_ENGINE` (program or address),
 * `KMODLAYER_ENGINE_ARGS` (before the subcommand) and `KMODLAYER_BUILD_ARGS` (of `build`), words parted by blanks.
 */
export function readEngineOptions(env: Readonly<Record<string, string | undefined>>): FindOptions {
  const program = env['KMODLAYER_ENGINE'] ?? '';
  return {
    ...(program === '' ? {} : { program }),
    globalArguments: wordsOf(env['KMODLAYER_ENGINE_ARGS']),
    buildArguments: wordsOf(env['KMODLAYER_BUILD_ARGS']),
    env,
  };
}

function wordsOf(text = ''): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
