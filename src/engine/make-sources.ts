import { readRpm, unpackSrpm } from './archives/read-rpm.ts';
import { unpackArchive } from './archives/unpack.ts';
import { type CheckedFilesOptions, fetchChecked } from './checked-files.ts';
import { checkOutGit, resolveGit } from './git.ts';
import { digestDirectory } from './source-tree.ts';
import type { Sources } from './sources.ts';

/**
 * Sources on this machine and on the web, and in git repositories, by the git program and the user's own settings of
 * it.
 *
 * @param options How files are downloaded, and where they are kept.
 */
export function makeSources(options: CheckedFilesOptions): Sources {
  return {
    resolveGit,
    checkOutGit,
    digestDirectory,
    fetchFile: (file, signal) => fetchChecked(file, options, signal),
    unpackArchive,
    readRpm,
    unpackSrpm,
  };
}
