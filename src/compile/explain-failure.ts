import { CompileError } from '../errors.ts';
import type { CompileRequest } from './compile.ts';
import type { Log } from './log.ts';

/** The line with which `dockerfiles/check-toolchain.sh` says what is wrong. */
const TOOLCHAIN = /^kmodlayer-toolchain:(?<what>[a-z-]+)\|(?<wanted>[^|]*)\|(?<found>.*)$/;

/** What compilers, tools and engines say when the disk is full, in whichever language of C's library they run. */
const NO_SPACE = /\b(?:no space left on device|disk quota exceeded)\b/i;

/** The line with which `build-dkms.sh` and `prepare-srpm.sh` in `dockerfiles/` say what is wrong. */
const DKMS = /^kmodlayer-(?:dkms|srpm):(?<what>[a-z-]+)\|(?<detail>.*)$/;

/** What each of its words means; the detail follows. */
const DKMS_WORDS: Readonly<Record<string, readonly [meaning: string, hint: string]>> = {
  'no-config': ['there is no dkms.conf in', 'Name the directory that has it with "build.workdir".'],
  'no-name': ['its dkms.conf has a name that cannot be one', 'Mend what is named here in dkms.conf.'],
  'no-tool': ['the driver-toolkit lacks a program', 'Build with a Containerfile that installs it.'],
  patch: ['a patch of dkms.conf does not apply', 'PATCH_MATCH says for which kernels a patch is meant.'],
  specs: ['a source package has one spec file, and this one has', 'Get the package again from its maker.'],
  prep: ['rpmbuild cannot prepare the source as %prep says', 'The log shows what it printed.'],
  script: ['a script of dkms.conf fails', 'The log shows what it printed.'],
  'not-built': [
    'its MAKE did not make',
    'Compare BUILT_MODULE_NAME and BUILT_MODULE_LOCATION with what the log says was made.',
  ],
};

const TAIL_LINES = 40;

/** What is known of a failed build. */
export interface Failure {
  readonly request: Pick<CompileRequest, 'driver' | 'kernel'>;
  readonly log: Log;
  /** Where the whole log is kept; undefined when it could not be. */
  readonly logFile: string | undefined;
}

/** The engine's error in terms of the driver: which driver and kernel, what to try, and where the log is. */
export function explainFailure(error: CompileError, { request, log, logFile }: Failure): CompileError {
  const { driver, kernel } = request;
  const lines = log.lines();
  const options = { cause: error, logFile, logTail: lines.slice(-TAIL_LINES) };
  const toolchain = lines.findLast((line) => TOOLCHAIN.test(line));
  if (toolchain !== undefined) return toolchainMismatch(toolchain, kernel, options);
  if (lines.some((line) => NO_SPACE.test(line))) return noSpace(error, request, options);

  const dkms = DKMS.exec(lines.findLast((line) => DKMS.test(line)) ?? '')?.groups;
  if (dkms !== undefined) return dkmsFailure(dkms, request, options);
  if (error.code !== 'COMPILE_FAILED') {
    return new CompileError(error.code, error.message, { ...options, hint: error.hint });
  }
  return new CompileError(
    'COMPILE_FAILED',
    `Cannot compile ${driver.name} for ${kernel}: ${stateOf(error)}`,
    {
      ...options,
      hint: 'The last lines of the log say why; API changes between kernels are the usual reason.',
    },
  );
}

/** A full disk is nothing that the driver could mend. */
function noSpace(
  error: CompileError,
  { driver, kernel }: Failure['request'],
  options: { readonly logFile: string | undefined; readonly logTail: readonly string[] },
): CompileError {
  return new CompileError(
    'WORKSPACE_FAILED',
    `Cannot compile ${driver.name} for ${kernel}: no space is left where the build works`,
    {
      ...options,
      cause: error,
      hint: 'Free space where the container engine keeps its storage and in TMPDIR, or move them: "--root" in KMODLAYER_ENGINE_ARGS, TMPDIR.',
    },
  );
}

/** The exit status, where the command ran; podman's own words otherwise. */
function stateOf(error: CompileError): string {
  const status = /exit status (\d+)$/.exec(error.message)?.[1];
  if (status !== undefined) return `its build ends with exit status ${status}`;
  return error.message.replace(/^Cannot build the driver: /, '');
}

function dkmsFailure(
  { what = '', detail = '' }: Readonly<Record<string, string>>,
  { driver, kernel }: Failure['request'],
  options: { readonly logFile: string | undefined; readonly logTail: readonly string[] },
): CompileError {
  if (what === 'excluded') {
    return new CompileError(
      'KERNEL_EXCLUDED',
      `Cannot compile ${driver.name} for ${kernel}: its dkms.conf says ${detail}`,
      {
        ...options,
        hint: 'Leave out the releases that have this kernel, or get a version of the driver that knows it.',
      },
    );
  }
  const [meaning, hint] = DKMS_WORDS[what] ?? ['its dkms.conf cannot be followed', 'The log says why.'];
  return new CompileError(
    'COMPILE_FAILED',
    `Cannot compile ${driver.name} for ${kernel}: ${meaning}: ${detail}`,
    { ...options, hint },
  );
}

function toolchainMismatch(
  line: string,
  kernel: string,
  options: { readonly logFile: string | undefined; readonly logTail: readonly string[] },
): CompileError {
  const { what = '', wanted = '', found = '' } = TOOLCHAIN.exec(line)?.groups ?? {};
  if (what === 'headers-missing') {
    const kernels = found === '' ? 'no kernel at all' : found.split(' ').join(', ');
    return new CompileError(
      'TOOLCHAIN_MISMATCH',
      `Cannot compile for ${kernel}: the driver-toolkit has headers for ${kernels}`,
      {
        ...options,
        hint: 'Use the driver-toolkit of the release whose kernel this is: see "kmodlayer resolve".',
      },
    );
  }
  const compiler = what === 'compiler-missing' ? `there is no ${found}` : `the compiler is ${found}`;
  return new CompileError(
    'TOOLCHAIN_MISMATCH',
    `Cannot compile for ${kernel}: it was built with ${wanted || 'an unnamed compiler'}, and ${compiler}`,
    {
      ...options,
      hint: 'Use the compiler that the driver-toolkit brings; do not upgrade it, and do not set CC.',
    },
  );
}
