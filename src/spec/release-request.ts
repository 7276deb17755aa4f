import { parseReference } from '../oci/reference.ts';
import type { ReleaseRequest } from './driver-set.ts';
import { parseOpenShiftVersion } from './openshift-version.ts';
import { parseReleaseRange, type ReleaseRange } from './release-range.ts';
import { invalid } from './values.ts';

const ARCH_SUFFIX = /-(?:x86_64|aarch64|arm64|amd64|ppc64le|s390x|multi)$/;

/** Looks like a semver range: an operator, a wildcard, a list, or a version that is not whole. */
const RANGE = /[<>=~^*|\s]|^v?\d+(?:\.\d+)?$|(?:^|\.)[xX](?:\.|$)/;

/**
 * Reads a range of releases; undefined for text that is none, such as a full version or an image.
 *
 * @throws {SpecError} `VALUE_INVALID` for a range that holds nothing.
 */
export function findReleaseRange(text: string): ReleaseRange | undefined {
  return RANGE.test(text) && !/[:/@]/.test(text) ? parseReleaseRange(text) : undefined;
}

/**
 * Reads a release: a full version, a range of versions, or the image of its payload.
 *
 * @throws {SpecError} `VALUE_INVALID`; {OciError} for a name that is not one of an image.
 */
export function parseReleaseRequest(text: string): ReleaseRequest {
  if (/^(?:oci|oci-archive|docker):/.test(text) || text.includes('/')) {
    const reference = parseReference(text);
    if (reference.transport === 'docker' && reference.tag === undefined && reference.digest === undefined) {
      throw invalid('release image', text, 'it has neither tag nor digest', 'Add "@sha256:..." or ":TAG".');
    }
    return { type: 'image', reference };
  }
  if (ARCH_SUFFIX.test(text)) {
    throw invalid('release', text, 'it names an architecture', 'Architectures are listed under "arches".');
  }
  const range = findReleaseRange(text);
  if (range !== undefined) return { type: 'range', range };
  return { type: 'version', version: parseOpenShiftVersion(text) };
}
