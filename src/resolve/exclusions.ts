import type { TargetSelection } from '../spec/driver-set.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { minorOf, type OpenShiftVersion } from '../spec/openshift-version.ts';
import { compareVersions, isInRange } from '../spec/release-range.ts';

/** A release that is left out, and why. */
export interface ExcludedRelease {
  readonly version: OpenShiftVersion;
  /** One line. */
  readonly because: string;
}

type Rules = Pick<TargetSelection, 'exclude' | 'ceilings'>;

/** Why a spec leaves a version out; undefined when it does not. */
export function reasonAgainstVersion(
  version: OpenShiftVersion,
  { exclude, ceilings }: Rules,
): string | undefined {
  const excluded = exclude.find((rule) => rule.type === 'release' && isInRange(version, rule.range));
  if (excluded !== undefined) return excluded.because;
  const [major, minor] = minorOf(version);
  const ceiling = ceilings.find(
    (rule) =>
      rule.minor.major === major && rule.minor.minor === minor && compareVersions(version, rule.release) > 0,
  );
  return ceiling === undefined ? undefined : `after ${ceiling.release}: ${ceiling.because}`;
}

/** Why a spec leaves releases with a kernel out; undefined when it does not. */
export function reasonAgainstKernel(kernel: KernelRelease, { exclude }: Rules): string | undefined {
  return exclude.find((rule) => rule.type === 'kernel' && matches(kernel, rule.pattern))?.because;
}

/** Says whether text matches a pattern in which `*` stands for any characters, in time that grows with their product. */
export function matches(text: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
