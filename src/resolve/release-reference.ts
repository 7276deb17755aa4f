import { ResolveError, SpecError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import { isDigest } from '../oci/digest.ts';
import { parseReference, pinned, type Reference } from '../oci/reference.ts';
import { parseTag, type Tag } from '../oci/tag.ts';
import { minorOf, type OpenShiftVersion, parseOpenShiftVersion } from '../spec/openshift-version.ts';

/** What a tag of a release repository says. */
export interface ReleaseTag {
  readonly version: OpenShiftVersion;
  /** True for the list of all architectures and for its parts, `4.22.9-multi-s390x`. */
  readonly isMulti: boolean;
  /** Undefined for a list. */
  readonly arch: Arch | undefined;
}

/** How a release was named: by version, which a repository must know, or as an image. */
export type ReleaseName =
  ({ readonly kind: 'version' } & ReleaseTag) | { readonly kind: 'image'; readonly reference: Reference };

/** Repository of the payloads of OpenShift. It can be read without credentials. */
export const RELEASE_REPOSITORY = parseReference('quay.io/openshift-release-dev/ocp-release');
/** Repository of the payloads of OKD. */
export const OKD_RELEASE_REPOSITORY = parseReference('quay.io/okd/scos-release');

/** A lazy pattern would take `4.22.9-multi` for a version: the suffixes are shut out of it word by word. */
const RELEASE_TAG =
  /^(?<version>\d+\.\d+\.\d+(?:-(?!multi(?:-|$))[0-9A-Za-z.]+(?:-(?!multi(?:-|$)|(?:x86_64|aarch64|ppc64le|s390x)$)[0-9A-Za-z.]+)*)?)-(?:multi(?:-(?<shard>x86_64|aarch64|ppc64le|s390x))?|(?<arch>x86_64|aarch64|ppc64le|s390x))$/;

/** Reads `<version>-<arch>`, `<version>-multi` or `<version>-multi-<arch>`; undefined for any other tag. */
export function findReleaseTag(text: string): ReleaseTag | undefined {
  const groups = text.length > 128 ? undefined : RELEASE_TAG.exec(text)?.groups;
  const version = groups?.['version'] === undefined ? undefined : findVersion(groups['version']);
  if (groups === undefined || version === undefined) return undefined;
  const arch = groups['arch'] ?? groups['shard'];
  return { version, isMulti: groups['arch'] === undefined, arch: arch as Arch | undefined };
}

/**
 * Reads the name of a release: a version such as `4.18.4`, a tag such as `4.18.4-aarch64` or `4.18.4-multi`, a pullspec,
 * `oci:DIR[:TAG]`, `oci-archive:FILE`, or a digest in the release repository.
 *
 * @throws {ResolveError} `RELEASE_INVALID`; {OciError} `REFERENCE_INVALID`, `TAG_INVALID` or `DIGEST_INVALID`.
 */
export function parseReleaseName(text: string, releaseRepository: Reference): ReleaseName {
  const tag = findReleaseTag(text);
  if (tag !== undefined) return { kind: 'version', ...tag };
  const version = findVersion(text);
  if (version !== undefined) return { kind: 'version', version, isMulti: false, arch: undefined };
  if (isDigest(text)) return { kind: 'image', reference: pinned(releaseRepository, text) };
  if (/^oci(?:-archive)?:|\//.test(text)) return { kind: 'image', reference: parseReference(text) };
  throw new ResolveError(
    'RELEASE_INVALID',
    `Cannot use release ${JSON.stringify(text.slice(0, 200))}: it is neither a version nor an image`,
    {
      hint: 'Write a full version such as 4.18.4, a pullspec such as quay.io/openshift-release-dev/ocp-release@sha256:..., or oci:DIR.',
    },
  );
}

/** Says whether a version is one of OKD, whose tags have no architecture. */
export function isOkd(version: OpenShiftVersion): boolean {
  return /[-.](?:okd|scos)(?:[-.]|$)/.test(version);
}

/** The repository in which a version is looked for when the user names none. */
export function defaultRepository(version: OpenShiftVersion): Reference {
  return isOkd(version) ? OKD_RELEASE_REPOSITORY : RELEASE_REPOSITORY;
}

/** Tags under which a release may be found, the likely one first. */
export function tagsOf({ version, isMulti, arch }: ReleaseTag, wanted: Arch): readonly Tag[] {
  const plain = version;
  const single = `${version}-${wanted}`;
  const multi = `${version}-multi`;
  if (isMulti) return [parseTag(arch === undefined ? multi : `${multi}-${arch}`)];
  if (arch !== undefined) return [parseTag(single)];
  return (isOkd(version) ? [plain, single, multi] : [single, multi, plain]).map(parseTag);
}

/**
 * Refuses versions whose OS image cannot be layered.
 *
 * @throws {ResolveError} `RELEASE_INVALID`.
 */
export function requireLayering(version: OpenShiftVersion): void {
  const [major, minor] = minorOf(version);
  if (major > 4 || (major === 4 && minor >= 12)) return;
  throw new ResolveError(
    'RELEASE_INVALID',
    `Cannot use release ${version}: before 4.12 the OS image is machine-os-content, which no node boots by osImageURL`,
    { hint: 'Use a release from 4.12 on.' },
  );
}

function findVersion(text: string): OpenShiftVersion | undefined {
  try {
    return parseOpenShiftVersion(text);
  } catch (error) {
    if (error instanceof SpecError) return undefined;
    throw error;
  }
}
