import { CompileError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type Digest, digestOf, makeHasher } from '../oci/digest.ts';
import type { Driver, DriverSet } from '../spec/driver-set.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { pathFrom } from '../spec/paths.ts';
import { withoutCredentials } from '../without-credentials.ts';

/** What the source of a driver is, by what never changes. */
export type PinnedSource =
  | { readonly type: 'git'; readonly url: string; readonly ref: string; readonly commit: string }
  | { readonly type: 'directory' | 'files'; readonly digest: Digest };

/**
 * Pins the source of a driver to what it is now: a commit, or a digest of its files.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`.
 */
export async function pinSource(
  { source }: Pick<Driver, 'source'>,
  { file }: Pick<DriverSet, 'file'>,
  { files, sources, signal }: Pick<Io, 'files' | 'sources' | 'signal'>,
): Promise<PinnedSource> {
  switch (source.type) {
    case 'git': {
      const commit = await sources.resolveGit(source, signal);
      return { type: 'git', url: withoutCredentials(source.url), ref: source.ref, commit };
    }
    case 'directory':
      return {
        type: 'directory',
        digest: await sources.digestDirectory(pathFrom(file, source.path), signal),
      };
    case 'files':
      return { type: 'files', digest: await digestModules(source.paths, file, files) };
  }
}

/** Names and bytes of modules that are built already; where they lie does not matter. */
async function digestModules(paths: readonly string[], file: string, files: Io['files']): Promise<Digest> {
  const hasher = makeHasher();
  for (const path of paths) {
    const bytes = await files.read(pathFrom(file, path)).catch((error: unknown) => {
      throw new CompileError('SOURCE_UNREADABLE', `Cannot read the module ${pathFrom(file, path)}`, {
        cause: error,
        hint: 'Check "source.files"; relative paths start at the spec.',
      });
    });
    hasher.update(Buffer.from(JSON.stringify([moduleNameOfPath(path), digestOf(bytes)])));
  }
  return hasher.digest();
}
