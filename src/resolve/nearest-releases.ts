import { KmodError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import type { Repository } from '../registry/repository.ts';
import { parseTag } from '../oci/tag.ts';
import type { OpenShiftVersion } from '../spec/openshift-version.ts';
import { findReleaseTag, type ReleaseTag } from './release-reference.ts';
import { parseOpenShiftVersion } from '../spec/openshift-version.ts';

/** More tags than this are not listed: the release repository has thousands, a hundred to a page. */
const MAX_TAGS = 500;
const SHOWN = 5;
/** Patches that are tried around an unknown one when the tags cannot all be listed. */
const STEPS = [1, 2, 3, 5, 8, 13, 21, 34];

/**
 * The versions nearest to one that is not there, nearest first. Costs a list of tags and, when that has no end, a few
 * HEADs around the version. A repository that may not be listed gives none.
 */
export async function nearestReleases(
  repository: Repository,
  {
    version,
    arch,
    isMulti,
  }: { readonly version: OpenShiftVersion; readonly arch: Arch; readonly isMulti: boolean },
): Promise<readonly OpenShiftVersion[]> {
  const tags = await listed(repository);
  const known = new Set(tags.flatMap((tag) => versionOf(tag, { arch, isMulti }) ?? []));
  if (tags.length === 0 || tags.length >= MAX_TAGS) {
    const suffix = isMulti ? 'multi' : arch;
    const probes = neighbours(version).map(async (candidate) => {
      if (await isThere(repository, `${candidate}-${suffix}`)) known.add(candidate);
    });
    await Promise.all(probes);
  }
  known.delete(version);
  return [...known]
    .sort((a, b) => compareDistances(distance(a, version), distance(b, version)))
    .slice(0, SHOWN);
}

/** A tag without an architecture is one of OKD or of a CI release, and may be for any. */
function versionOf(
  tag: string,
  { arch, isMulti }: { readonly arch: Arch; readonly isMulti: boolean },
): OpenShiftVersion | undefined {
  const release: ReleaseTag | undefined = findReleaseTag(tag);
  if (release !== undefined) {
    return release.isMulti || (release.arch === arch && !isMulti) ? release.version : undefined;
  }
  try {
    return parseOpenShiftVersion(tag);
  } catch {
    return undefined;
  }
}

function neighbours(version: OpenShiftVersion): readonly OpenShiftVersion[] {
  const [major, minor, patch] = numbersOf(version);
  const patches = [0, ...[0, ...STEPS].flatMap((step) => [patch - step, patch + step])];
  return [...new Set(patches.filter((one) => one >= 0))].map((one) =>
    parseOpenShiftVersion(`${major}.${minor}.${Math.min(one, 9999)}`),
  );
}

async function listed(repository: Repository): Promise<readonly string[]> {
  try {
    return await repository.listTags(MAX_TAGS);
  } catch (error) {
    if (error instanceof KmodError) return [];
    throw error;
  }
}

async function isThere(repository: Repository, tag: string): Promise<boolean> {
  try {
    return (await repository.findManifest(parseTag(tag))) !== undefined;
  } catch (error) {
    if (error instanceof KmodError) return false;
    throw error;
  }
}

function distance(a: OpenShiftVersion, b: OpenShiftVersion): readonly number[] {
  const [first, second] = [numbersOf(a), numbersOf(b)];
  return [
    ...first.map((number, at) => Math.abs(number - (second[at] ?? 0))),
    a.includes('-') === b.includes('-') ? 0 : 1,
  ];
}

function compareDistances(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, index) => number !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

function numbersOf(version: OpenShiftVersion): readonly [number, number, number] {
  const [major = 0, minor = 0, patch = 0] = (version.split('-')[0] ?? '').split('.').map(Number);
  return [major, minor, patch];
}
