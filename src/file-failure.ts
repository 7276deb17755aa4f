/** Reasons that lie in the machine and not in this program, by Node's code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left there',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of its path is not a directory',
  EEXIST: 'a part of its path is not a directory',
  EISDIR: 'it is a directory',
  EIO: 'the disk fails',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};

/** Node's error of a file operation. */
export interface FileFailure extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
}

/** Says whether an error is Node's, about a file operation that the system refused. */
export function isFileFailure(error: unknown): error is FileFailure {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** Why the system refused, in words; undefined where Node's own message says more. */
export function reasonOf({ code }: FileFailure): string | undefined {
  return REASONS[code];
}
