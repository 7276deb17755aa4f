import { SpecError } from '../errors.ts';
import type { Engine, EngineOptions } from './engine.ts';

/**
 * Finds the container engine that compiles.
 *
 * @param options `program` is `podman`, or a path whose last part starts with it.
 * @throws {CompileError} `ENGINE_MISSING`, `ENGINE_FAILED`.
 * @throws {SpecError} `USAGE` for an engine that this version does not know.
 */
export async function findEngine(options: EngineOptions, signal: AbortSignal): Promise<Engine> {
  const name = options.program.slice(options.program.lastIndexOf('/') + 1);
  if (!name.startsWith('podman')) {
    throw new SpecError(
      'USAGE',
      `Cannot compile with ${JSON.stringify(options.program)}: not a known engine`,
      {
        hint: 'Use --engine podman.',
      },
    );
  }
  const { findPodman } = await import('./podman.ts');
  return findPodman(options, signal);
}

/**
 * Engine options that a host needs, read from environment variables: `KMODLAYER_ENGINE` (program),
 * `KMODLAYER_ENGINE_ARGS` (before the subcommand) and `KMODLAYER_BUILD_ARGS` (of `build`), words parted by blanks.
 */
export function readEngineOptions(env: Readonly<Record<string, string | undefined>>): EngineOptions {
  return {
    program: env['KMODLAYER_ENGINE'] ?? 'podman',
    globalArguments: wordsOf(env['KMODLAYER_ENGINE_ARGS']),
    buildArguments: wordsOf(env['KMODLAYER_BUILD_ARGS']),
  };
}

function wordsOf(text = ''): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
