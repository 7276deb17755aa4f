import { CompileError } from '../errors.ts';
import { formatReference } from '../oci/reference.ts';
import { environmentOf, makeBuildArguments, type StorageEngine } from './build-arguments.ts';
import { failureOfBuild } from './build-failure.ts';
import { copyRegularFiles } from './copy-files.ts';
import type { BuildRequest, Engine, EngineOptions } from './engine.ts';
import { runProcess } from './process.ts';
import { pullImage } from './pull-image.ts';
import { makeRedact } from './redact.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { readSecrets } from './secrets.ts';
import type { StorageProgram } from './storage-program.ts';

/**
 * Finds a program that builds, and asks it where it keeps images.
 *
 * @throws {CompileError} `ENGINE_MISSING` when there is no such program, `ENGINE_FAILED` when it does not work here or
 *   is too old.
 */
export async function findProgramEngine(
  program: StorageProgram,
  options: EngineOptions,
  signal: AbortSignal,
): Promise<Engine> {
  const texts: string[] = [];
  for (const command of program.infoCommands) texts.push(await askProgram(program, command, options, signal));
  const { version, storage } = program.parseInfo(texts);
  checkVersion(program, version);
  const engine = { options, program, storage };
  const pulls = new Map<string, Promise<string>>();
  return {
    name: program.name,
    version,
    pull(request) {
      const key = `${request.arch} ${formatReference(request.image)}`;
      const pull = pulls.get(key) ?? pullImage(engine, request);
      pulls.set(key, pull);
      pull.catch(() => pulls.delete(key));
      return pull;
    },
    build: (request) => buildInScratch(engine, request),
  };
}

async function askProgram(
  { name, oldest, package: packageName }: StorageProgram,
  command: readonly string[],
  options: EngineOptions,
  signal: AbortSignal,
): Promise<string> {
  const args = [...options.globalArguments, ...command];
  const result = await runProcess({ program: options.program, args, signal });
  if (result.exitCode === 126 || result.exitCode === 127) {
    throw new CompileError('ENGINE_MISSING', `Cannot compile: there is no program ${options.program}`, {
      hint: `Install ${name} ${oldest.join('.')} or newer ("dnf install ${packageName}" or "apt-get install ${packageName}"), or name its path with --engine.`,
    });
  }
  if (result.exitCode !== 0) {
    const asked = `${name} ${command[0] ?? ''}`;
    throw new CompileError('ENGINE_FAILED', `Cannot use ${options.program}: "${asked}" fails`, {
      hint: `Run "${asked}" by hand and mend what it complains about.`,
      logTail: result.tail.slice(-20),
    });
  }
  return result.output;
}

function checkVersion({ name, oldest }: StorageProgram, version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new CompileError('ENGINE_FAILED', `Cannot use ${name} ${version}: it is too old`, {
    hint: `Install ${name} ${oldest.join('.')} or newer.`,
  });
}

async function buildInScratch(engine: StorageEngine, request: BuildRequest): Promise<void> {
  request.signal.throwIfAborted();
  const redact = makeRedact(await readSecrets(request.builds));
  const scratch = await makeScratch(engine, request.assets);
  try {
    for (const position of request.builds.keys())
      await buildOne(engine, request, { scratch, position, redact });
    await copyRegularFiles(scratch.output, request.outputDirectory);
  } finally {
    await scratch.remove();
  }
}

async function buildOne(
  { options, program }: StorageEngine,
  request: BuildRequest,
  {
    scratch,
    position,
    redact,
  }: {
    readonly scratch: Scratch;
    readonly position: number;
    readonly redact: (line: string) => string;
  },
): Promise<void> {
  const build = request.builds[position];
  if (build === undefined) return;
  const isLast = position === request.builds.length - 1;
  const result = isLast ? '--output=type=local,dest=output' : `--tag=${nameOf(position)}`;
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
  if (run.exitCode !== 0) throw failureOfBuild(run.tail.map(redact), program.name);
}

function nameOf(position: number): string {
  return `localhost/kmodlayer/build-${position}`;
}
