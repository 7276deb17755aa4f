import { readFile } from 'node:fs/promises';
import { CompileError } from '../errors.ts';
import { formatReference } from '../oci/reference.ts';
import { copyRegularFiles } from './copy-files.ts';
import type { Build, BuildRequest, Engine, EngineOptions } from './engine.ts';
import type { PodmanStorage } from './podman-arguments.ts';
import { environmentOf, makeBuildArguments, parsePodmanInfo } from './podman-arguments.ts';
import { failureOfBuild } from './podman-failure.ts';
import { pullImage } from './podman-pull.ts';
import { makeScratch } from './podman-scratch.ts';
import { runProcess } from './process.ts';
import { makeRedact } from './redact.ts';

/** `--output` and `--build-context` are there from this version on. */
const OLDEST_VERSION = [4, 2] as const;

/**
 * Finds podman and asks it where it keeps images.
 *
 * @throws {CompileError} `ENGINE_MISSING` when there is no such program, `ENGINE_FAILED` when it does not work here or
 *   is too old.
 */
export async function findPodman(options: EngineOptions, signal: AbortSignal): Promise<Engine> {
  const args = [...options.globalArguments, 'info', '--format', 'json'];
  const result = await runProcess({ program: options.program, args, signal });
  if (result.exitCode === 126 || result.exitCode === 127) {
    throw new CompileError('ENGINE_MISSING', `Cannot compile: there is no program ${options.program}`, {
      hint: 'Install podman 4.2 or newer ("dnf install podman" or "apt-get install podman"), or name its path with --engine.',
    });
  }
  if (result.exitCode !== 0) {
    throw new CompileError('ENGINE_FAILED', `Cannot use ${options.program}: "podman info" fails`, {
      hint: 'Run "podman info" by hand and mend what it complains about.',
      logTail: result.tail.slice(-20),
    });
  }
  const { version, storage } = parsePodmanInfo(result.output);
  checkVersion(version);
  const pulls = new Map<string, Promise<string>>();
  return {
    name: 'podman',
    version,
    pull(request) {
      const key = `${request.arch} ${formatReference(request.image)}`;
      const pull = pulls.get(key) ?? pullImage(options, request);
      pulls.set(key, pull);
      pull.catch(() => pulls.delete(key));
      return pull;
    },
    build: (request) => buildInScratch(options, storage, request),
  };
}

function checkVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1])) return;
  throw new CompileError('ENGINE_FAILED', `Cannot use podman ${version}: it is too old`, {
    hint: `Install podman ${OLDEST_VERSION.join('.')} or newer.`,
  });
}

async function buildInScratch(
  options: EngineOptions,
  storage: PodmanStorage,
  request: BuildRequest,
): Promise<void> {
  request.signal.throwIfAborted();
  const redact = makeRedact(await readSecrets(request.builds));
  const scratch = await makeScratch(options, storage, request.assets);
  try {
    for (const [position, build] of request.builds.entries()) {
      const isLast = position === request.builds.length - 1;
      const result = isLast
        ? '--output=type=local,dest=output'
        : `--tag=localhost/kmodlayer/build-${position}`;
      const paths = await scratch.prepare(build, position);
      const args = [result, ...makeBuildArguments(options, build, request.arch, paths)];
      const run = await runProcess({
        program: options.program,
        args: [...scratch.globalArguments, 'build', ...args],
        env: { ...environmentOf(options), TMPDIR: scratch.temporary },
        directory: scratch.directory,
        signal: request.signal,
        onLine: (line) => {
          request.onLine(redact(line));
        },
      });
      if (run.exitCode !== 0) throw failureOfBuild(run.tail.map(redact));
    }
    await copyRegularFiles(scratch.output, request.outputDirectory);
  } finally {
    await scratch.remove();
  }
}

async function readSecrets(builds: readonly Build[]): Promise<readonly string[]> {
  const files = new Set(builds.flatMap((build) => build.secrets.map(({ file }) => file)));
  return Promise.all(
    [...files].map(async (file) => {
      try {
        return await readFile(file, 'utf8');
      } catch (error) {
        throw new CompileError('SOURCE_UNREADABLE', `Cannot read the secret file ${file}`, {
          cause: error,
          hint: 'Check the path in "build.secrets"; relative paths start at the spec.',
        });
      }
    }),
  );
}
