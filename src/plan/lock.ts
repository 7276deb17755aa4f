import { createHash } from 'node:crypto';
import type { ExcludedRelease } from '../resolve/exclusions.ts';
import type { Target } from '../resolve/target.ts';
import type { DriverSet } from '../spec/driver-set.ts';
import { canonicalJson } from './input-hash.ts';
import type { PinnedSource } from './pin-source.ts';

/** What a set of drivers came to once: everything that a build reads, by what never changes. */
export interface Lock {
  /** `lockIdentity` of the set that it answers. */
  readonly spec: string;
  /** By version, architecture and stream. */
  readonly targets: readonly Target[];
  /** Releases that the rules of the spec leave out, by version. */
  readonly excluded: readonly ExcludedRelease[];
  /** What the sources of drivers are pinned to, by the name of the driver. */
  readonly pins: Readonly<Record<string, PinnedSource>>;
}

/** Identity of what a lock answers: which targets a set asks for, and where its sources are. 64 hex digits. */
export function lockIdentity({ targets, drivers }: Pick<DriverSet, 'targets' | 'drivers'>): string {
  const { releases, arches, streams, releaseRepository, exclude, ceilings } = targets;
  const question = {
    ...{ releases, arches, streams, releaseRepository, exclude, ceilings },
    drivers: drivers.map(({ name, source }) => ({ name, source })),
  };
  return createHash('sha256').update(canonicalJson(question)).digest('hex');
}
