import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readInput } from './read-input.ts';
import type { ReleaseTrustFlags } from '../flags.ts';
import type { ReleaseTrust } from '../../src/io.ts';
import type { TrustIo } from '../../src/resolve/signatures/release-trust.ts';

/**
 * The check of releases as the flags describe it. Nothing is read before the first release is verified.
 *
 * @param cwd Directory that relative paths start at.
 */
export function releaseTrustOf(flags: ReleaseTrustFlags, cwd: string, io: TrustIo): ReleaseTrust {
  let made: Promise<ReleaseTrust> | undefined;
  return {
    verify: async (release) => {
      if (flags.verifyRelease === 'off') return undefined;
      made ??= makeTrust(flags, cwd, io);
      return (await made).verify(release);
    },
  };
}

async function makeTrust(flags: ReleaseTrustFlags, cwd: string, io: TrustIo): Promise<ReleaseTrust> {
  const { makeReleaseTrust } = await import('../../src/resolve/signatures/release-trust.ts');
  const { publisherOf } = await import('../../src/resolve/signatures/publishers.ts');
  const { parseSignatureMaps, parseStore, parseVerificationPolicy } =
    await import('../../src/resolve/signatures/verification-policy.ts');
  const { releaseKeys = [], releaseSignatures = [] } = flags;
  const policies = await Promise.all(
    releaseKeys.map(async (file) => parseVerificationPolicy(await readInput(io.files, file), file)),
  );
  const isStore = (place: string): boolean => /^[a-z]+:\/\//i.test(place);
  const stores = releaseSignatures.filter(isStore).map((url) => parseStore(url, '--release-signatures'));
  const signatures = [];
  for (const path of releaseSignatures.filter((place) => !isStore(place))) {
    if (await isDirectory(path, io)) stores.push(pathToFileURL(resolve(cwd, path)).href.replace(/\/+$/, ''));
    else signatures.push(parseSignatureMaps(await readInput(io.files, path), path));
  }
  return makeReleaseTrust(
    { mode: flags.verifyRelease ?? 'auto', policies, stores, signatures, publisherOf },
    io,
  );
}

async function isDirectory(path: string, { files }: Pick<TrustIo, 'files'>): Promise<boolean> {
  try {
    await files.list(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTDIR' || error.code === 'ENOENT'))
      return false;
    throw error;
  }
}
