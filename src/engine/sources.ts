import type { Digest } from '../oci/digest.ts';

/** A git repository and what to take from it. */
export interface GitSource {
  /** `https://`, `ssh://`, `git://`, `file://` or `user@host:path`. */
  readonly url: string;
  /** Branch, tag or commit. */
  readonly ref: string;
}

/** Where the sources of drivers come from. */
export interface Sources {
  /**
   * The commit that a branch, tag or commit stands for now: 40 hex digits (64 in a SHA-256 repository).
   *
   * @throws {CompileError} `SOURCE_UNREADABLE`.
   */
  resolveGit(source: GitSource, signal: AbortSignal): Promise<string>;

  /**
   * Writes the files of one commit to a directory that is empty or not there yet; no `.git` stays behind.
   *
   * @param commit As `resolveGit` returned it.
   * @throws {CompileError} `SOURCE_UNREADABLE`.
   */
  checkOutGit(source: GitSource, commit: string, directory: string, signal: AbortSignal): Promise<void>;

  /**
   * Identity of a source tree: paths, kinds, executable bits, link targets and bytes, without anything named `.git`. It does not
   * depend on times, owners or the order in which a directory is read.
   *
   * @throws {CompileError} `SOURCE_UNREADABLE`.
   */
  digestDirectory(directory: string, signal: AbortSignal): Promise<Digest>;
}
