import {
  BootError,
  CompileError,
  LayerError,
  ModuleError,
  OciError,
  PartialFailure,
  RegistryError,
  ResolveError,
  SignError,
  SpecError,
} from '../src/errors.ts';
import { type FileFailure, isFileFailure, reasonOf } from '../src/file-failure.ts';

/** What a script learns from how kmodlayer ended. */
export const EXIT_CODES = {
  done: 0,
  /** The thing that was checked is not so. */
  checkFailed: 1,
  usage: 2,
  notAuthorised: 3,
  cannotResolve: 4,
  compileFailed: 5,
  wouldNotLoad: 6,
  signing: 7,
  registry: 8,
  someTargetsFailed: 9,
  bug: 70,
  interrupted: 130,
} as const;

const UNAUTHORISED: readonly string[] = ['UNAUTHORIZED', 'FORBIDDEN', 'CREDENTIALS_INVALID'];

/** A command looked and found that something is not as it should be. It has said so already. */
export class CheckFailed extends Error {
  readonly exitCode = EXIT_CODES.checkFailed;
}

/** The exit code that an error stands for; 70 for what nobody expected. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CheckFailed) return error.exitCode;
  if (error instanceof SpecError || error instanceof BootError) return EXIT_CODES.usage;
  if (error instanceof RegistryError) {
    return UNAUTHORISED.includes(error.code) ? EXIT_CODES.notAuthorised : EXIT_CODES.registry;
  }
  if (error instanceof ResolveError) return EXIT_CODES.cannotResolve;
  if (error instanceof CompileError) return EXIT_CODES.compileFailed;
  if (error instanceof ModuleError || error instanceof LayerError) return EXIT_CODES.wouldNotLoad;
  if (error instanceof SignError) return EXIT_CODES.signing;
  if (error instanceof OciError) return EXIT_CODES.registry;
  if (error instanceof PartialFailure) return EXIT_CODES.someTargetsFailed;
  if (isMachineFailure(error)) return EXIT_CODES.registry;
  return EXIT_CODES.bug;
}

/**
 * A full disk, a directory that is not ours: where that can be told of a layout or a source it has been, and the rest,
 * above all temporary directories, ends here. It is no bug.
 */
export function isMachineFailure(error: unknown): error is FileFailure {
  if (!isFileFailure(error)) return false;
  return reasonOf(error) !== undefined || error.syscall === 'mkdtemp';
}
