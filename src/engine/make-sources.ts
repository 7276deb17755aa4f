import { checkOutGit, resolveGit } from './git.ts';
import { digestDirectory } from './source-tree.ts';
import type { Sources } from './sources.ts';

/** Sources on this machine and in git repositories, by the git program and the user's own settings of it. */
export function makeSources(): Sources {
  return { resolveGit, checkOutGit, digestDirectory };
}
