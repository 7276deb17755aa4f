import { CompileError, RegistryError } from '../errors.ts';
import { withoutCredentials } from '../without-credentials.ts';

/** Lines of a failed build that an error carries; the whole output went to whoever listened. */
const TAIL_LINES = 40;

/**
 * The error that a failed pull stands for.
 *
 * @param image As it was asked for.
 * @param lines What the engine printed.
 */
export function failureOfPull(
  image: string,
  lines: readonly string[],
  engine = 'podman',
): RegistryError | CompileError {
  const state = findLastError(lines);
  return (
    findRegistryFailure(state, image) ?? engineFailure(`Cannot fetch ${image}`, state, { lines, engine })
  );
}

/**
 * The error that a failed build stands for: a registry that said no, a Containerfile or driver that did not
 * build, or an engine that could not run it.
 *
 * @param lines What the engine printed.
 */
export function failureOfBuild(lines: readonly string[], engine = 'podman'): RegistryError | CompileError {
  const state = findLastError(lines);
  const printed = { lines, engine };
  const registryFailure = findRegistryFailure(state, findImage(state));
  if (registryFailure !== undefined) return registryFailure;
  if (lines.slice(-TAIL_LINES).some((line) => /exec format error/i.test(line))) {
    return engineFailure(
      'Cannot run programs of another architecture',
      'exec format error',
      printed,
      FOREIGN_HINT,
    );
  }
  const runtimeError = lines.findLast((line) =>
    /^error running container: from \S+ creating container/.test(line),
  );
  if (runtimeError !== undefined)
    return engineFailure('Cannot start a build container', runtimeError, printed);
  const isOfBuild = /^building at STEP |^FROM requires|The target ".*" was not found/.test(state);
  if (isOfBuild && !/no space left on device/.test(state)) {
    return new CompileError('COMPILE_FAILED', `Cannot build the driver: ${state}`, {
      hint: 'The log says why; the last lines of it are the likeliest place.',
      logTail: tailOf(lines),
    });
  }
  return engineFailure(`Cannot build with ${engine}`, state, printed);
}

const FOREIGN_HINT =
  'Build on a machine of that architecture, or install qemu-user-static so that it can be emulated.';

interface Printed {
  readonly lines: readonly string[];
  readonly engine: string;
}

function engineFailure(
  what: string,
  state: string,
  { lines, engine }: Printed,
  hint = hintOfEngineFailure(state, engine),
): CompileError {
  return new CompileError('ENGINE_FAILED', `${what}: ${state}`, { hint, logTail: tailOf(lines) });
}

function hintOfEngineFailure(state: string, engine: string): string {
  if (/no space left on device/.test(state)) return `Free disk space where ${engine} keeps its storage.`;
  return `Try "${engine} build" by hand; a host without cgroups or user namespaces needs further arguments, for instance --isolation chroot.`;
}

/** The last line in which the engine says what failed, without its prefix. */
function findLastError(lines: readonly string[]): string {
  const line =
    lines.findLast((candidate) => candidate.startsWith('Error: ')) ?? lines.at(-1) ?? 'it said nothing';
  return withoutCredentials(line.replace(/^Error: /, '').slice(0, 2000));
}

function findImage(state: string): string {
  return /initializing source (?:docker:\/\/)?(\S+?):? /.exec(state)?.[1] ?? 'an image';
}

const ABOUT_AN_IMAGE =
  /initializing source|reading manifest|pinging container registry|copying system image|reading blob|parsing image|unable to retrieve auth token|requested access to the resource/;

function findRegistryFailure(state: string, image: string): RegistryError | undefined {
  if (!ABOUT_AN_IMAGE.test(state)) return undefined;
  const options = { cause: new Error(state) };
  if (/unauthorized|authentication required|invalid username\/password/i.test(state)) {
    return new RegistryError(
      'UNAUTHORIZED',
      `Cannot fetch ${image}: the registry asks for other credentials`,
      {
        ...options,
        hint: 'Get a pull secret from https://console.redhat.com/openshift/downloads and give its file with --authfile.',
      },
    );
  }
  if (/denied|forbidden/i.test(state)) {
    return new RegistryError('FORBIDDEN', `Cannot fetch ${image}: these credentials may not read it`, {
      ...options,
      hint: 'Use an account that may read this repository.',
    });
  }
  if (/manifest unknown|name unknown|not found|no such file/i.test(state) && !/dial tcp/.test(state)) {
    return new RegistryError('NOT_FOUND', `Cannot fetch ${image}: it is not there`, options);
  }
  return new RegistryError('UNREACHABLE', `Cannot fetch ${image}: ${state}`, options);
}

function tailOf(lines: readonly string[]): readonly string[] {
  return lines.slice(-TAIL_LINES).map(withoutCredentials);
}
