import type { Digest } from '../oci/digest.ts';
import type { RpmFiles, RpmRequest } from './archives/read-rpm.ts';
import type { UnpackRequest } from './archives/unpack.ts';

/** A git repository and what to take from it. */
export interface GitSource {
  /** `https://`, `ssh://`, `git://`, `file://` or `user@host:path`. */
  readonly url: string;
  /** Branch, tag or commit. */
  readonly ref: string;
}

/** A file that its checksum names, on the web or on this machine. */
export interface CheckedFile {
  readonly location:
    { readonly type: 'url'; readonly url: string } | { readonly type: 'file'; readonly path: string };
  readonly sha256: Digest;
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

  /**
   * Path of a file whose bytes have the checksum: the file itself, or a copy of what is at the URL. Downloads are kept.
   *
   * @throws {CompileError} `CHECKSUM_MISMATCH` with both values, `SOURCE_UNREADABLE`.
   */
  fetchFile(file: CheckedFile, signal: AbortSignal): Promise<string>;

  /**
   * Unpacks a tar, plain or packed with gzip, xz or zstd, and writes nothing outside of `to`.
   *
   * @throws {CompileError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`, `SOURCE_UNREADABLE` when it lacks the directory.
   */
  unpackArchive(request: UnpackRequest): Promise<void>;

  /**
   * Takes files out of a binary rpm.
   *
   * @param wants Says which, by path without a leading `/`.
   * @throws {CompileError} `ARCHIVE_INVALID`, `SOURCE_UNREADABLE` for a source package.
   */
  readRpm(request: RpmRequest, wants: (path: string) => boolean): Promise<RpmFiles>;

  /**
   * Unpacks a source rpm: spec, tarballs and patches side by side.
   *
   * @throws {CompileError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`, `SOURCE_UNREADABLE` for a binary package.
   */
  unpackSrpm(request: RpmRequest & { readonly to: string }): Promise<void>;
}
