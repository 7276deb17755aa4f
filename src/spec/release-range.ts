import Range from 'semver/classes/range.js';
import compare from 'semver/functions/compare.js';
import satisfies from 'semver/functions/satisfies.js';
import type { Brand } from '../brand.ts';
import { SpecError } from '../errors.ts';
import { isOpenShiftVersion as isVersion, type OpenShiftVersion } from './openshift-version.ts';

/** A range of versions as npm writes them, for instance `4.16.x` or `>=4.18.3 <4.20`. A full version is a range, too. */
export type ReleaseRange = Brand<string, 'ReleaseRange'>;

/** A minor of OpenShift, for instance `{ major: 4, minor: 18 }`. */
export interface Minor {
  readonly major: number;
  readonly minor: number;
}

/** Before it, the OS image cannot be layered. */
const FIRST: Minor = { major: 4, minor: 12 };
const LAST_MAJOR = 9;
const LAST_MINOR = 99;

/** @throws {SpecError} `VALUE_INVALID`. */
export function parseReleaseRange(text: string): ReleaseRange {
  if (isVersion(text)) return text as unknown as ReleaseRange;
  if (/^[0-9A-Za-z .<>=~^*|+-]{1,200}$/.test(text)) {
    try {
      const range = new Range(text);
      if (minorsOf(range).next().done !== true) return text.trim() as ReleaseRange;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
  throw new SpecError(
    'VALUE_INVALID',
    `Cannot use range ${JSON.stringify(text.slice(0, 200))}: it holds no release from 4.12 on`,
    { hint: 'Write for instance "4.16.x", "~4.18.3" or ">=4.18.3 <4.20".' },
  );
}

/** Says whether a version is in a range. Pre-releases are only in ranges that name one of the same version. */
export function isInRange(version: OpenShiftVersion, range: ReleaseRange): boolean {
  return version === String(range) || satisfies(version, range);
}

/** Less than 0 when the first version is the older one; pre-releases come before what they lead to. */
export function compareVersions(a: OpenShiftVersion, b: OpenShiftVersion): number {
  return compare(a, b, true);
}

/**
 * The minors that have versions in a range, in their order. Of a range without an upper end there are more than will
 * ever exist.
 */
export function* minorsInRange(range: ReleaseRange): Generator<Minor, void, undefined> {
  yield* minorsOf(new Range(range));
}

function* minorsOf(range: Range): Generator<Minor, void, undefined> {
  for (let major = FIRST.major; major <= LAST_MAJOR; major++) {
    if (!range.intersects(new Range(`>=${major}.0.0-0 <${major + 1}.0.0-0`))) continue;
    for (let minor = major === FIRST.major ? FIRST.minor : 0; minor <= LAST_MINOR; minor++) {
      if (range.intersects(new Range(`>=${major}.${minor}.0-0 <${major}.${minor + 1}.0-0`))) {
        yield { major, minor };
      }
    }
  }
}
