import { CompileError, RegistryError } from '../../errors.ts';
import { withoutCredentials } from '../../without-credentials.ts';
import { failureOfBuild, failureOfPull } from '../build-failure.ts';

/** A step that ran and failed, as BuildKit of different versions and the classic builder say it. */
const STEP =
  /(?:executor failed running \[(?<old>.*)\]|process "(?<new>.*)" did not complete successfully|The command '(?<classic>.*)' returned a non-zero code): (?:exit code: )?(?<status>\d+)/s;

/** A Containerfile that does not say what can be done. */
const CONTAINERFILE =
  /dockerfile parse error|unknown instruction|failed to create LLB definition|target stage .* could not be found|failed to reach build target|failed to (?:compute|calculate) (?:cache key|checksum)|COPY failed|ADD failed|no FROM statement|no build stage in current context/i;

/**
 * The error that a failed build over an API stands for.
 *
 * @param state What the daemon says failed.
 * @param lines What the build printed.
 */
export function failureOfApiBuild(
  state: string,
  lines: readonly string[],
  engine: string,
): RegistryError | CompileError {
  const step = STEP.exec(state)?.groups;
  if (step !== undefined) {
    const command = step['old'] ?? step['new'] ?? step['classic'] ?? '';
    return failureOfBuild(
      [...lines, `Error: building at STEP "${command}": exit status ${step['status'] ?? ''}`],
      engine,
    );
  }
  const stage = /target stage (?<name>.*) could not be found|failed to reach build target (?<other>\S+)/.exec(
    state,
  )?.groups;
  if (stage !== undefined) {
    const name = stage['name'] ?? stage['other'] ?? '';
    return failureOfBuild(
      [...lines, `Error: The target "${name}" was not found in the provided Dockerfile`],
      engine,
    );
  }
  const unresolved =
    /(?:failed to resolve source metadata for|failed to load metadata for|failed to do request for) (?<image>\S+?):? /.exec(
      state,
    );
  const image =
    unresolved?.groups?.['image'] ??
    /pull access denied for (?<image>[^,\s]+)/.exec(state)?.groups?.['image'];
  if (image !== undefined && !/: not found$/.test(state)) return failureOfApiPull(image, state, engine);
  if (image !== undefined)
    return new RegistryError('NOT_FOUND', `Cannot fetch ${image}: it is not there`, {
      cause: new Error(state),
    });
  if (CONTAINERFILE.test(state) && !/no space left on device/.test(state)) {
    return failureOfBuild([...lines, `Error: building at STEP "": ${state}`], engine);
  }
  return failureOfBuild([...lines, `Error: ${state}`], engine);
}

/** The error that a failed fetch over an API stands for, in the words of `failureOfPull`. */
export function failureOfApiPull(image: string, state: string, engine: string): RegistryError | CompileError {
  const words = state.replace(/no basic auth credentials/i, 'unauthorized: $&');
  const isOfRegistry =
    /unauthorized|denied|forbidden|manifest unknown|not found|no basic auth|dial tcp|x509|lookup|timeout|EOF|initializing source/i.test(
      words,
    );
  const line = isOfRegistry ? `Error: initializing source docker://${image}: ${words}` : `Error: ${words}`;
  return failureOfPull(image, [line], engine);
}

/** The error of a request that the daemon refused, or that did not reach it. */
export function failureOfRequest(what: string, error: unknown, engine: string): CompileError {
  const said = error instanceof Error ? error.message.trim() : String(error);
  return new CompileError(
    'ENGINE_FAILED',
    `Cannot ${what} with ${engine}: ${withoutCredentials(said.slice(0, 2000))}`,
    {
      cause: error,
      hint: /no space left on device/.test(said)
        ? 'Free disk space where the daemon keeps its images.'
        : 'Look into the log of the daemon.',
    },
  );
}
