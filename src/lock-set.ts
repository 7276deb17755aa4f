import { CompileError, RegistryError, ResolveError, SpecError } from './errors.ts';
import type { Io } from './io.ts';
import type { Digest } from './oci/digest.ts';
import { formatReference, type Reference } from './oci/reference.ts';
import { type Lock, lockIdentity } from './plan/lock.ts';
import { imageKey, pinSource, type PinnedSource } from './plan/pin-source.ts';
import { targetId } from './plan/plan.ts';
import { kernelsOf } from './plan-set.ts';
import { type Failure, resolveSet, sorted } from './resolve-set.ts';
import { limitedImages } from './resolve/limited-images.ts';
import type { Target } from './resolve/target.ts';
import { compareVersions, isInRange, type ReleaseRange } from './spec/release-range.ts';
import type { DriverSet } from './spec/spec.ts';

/** What is not as a lock has it. */
export interface LockChange {
  readonly kind:
    'release-added' | 'release-removed' | 'release-moved' | 'risks-changed' | 'image-gone' | 'source-moved';
  /** A target, an image or a driver. */
  readonly what: string;
  /** As the lock has it; undefined for what is new. */
  readonly was?: string | undefined;
  /** As it is now; undefined for what is gone. */
  readonly now?: string | undefined;
}

/** Requests in flight while images are looked for. */
const REQUESTS_AT_ONCE = 8;

/** Errors of releases that are not there any more; others, such as a signature that does not hold, are to be seen. */
const GONE = new Set<string>(['RELEASE_UNKNOWN', 'IMAGE_MISSING', 'NOT_FOUND']);

/**
 * Resolves a set and pins its sources.
 *
 * @throws {KmodError} the first failure; the others are reported as warnings.
 */
export async function makeLock(set: DriverSet, io: Io): Promise<Lock> {
  const { targets, excluded, failures } = await resolveSet(set, { keepGoing: true }, io);
  throwFirst(failures, io);
  return { spec: lockIdentity(set), targets, excluded, pins: await pinAll(set, targets, io) };
}

/**
 * A lock whose releases of a range are resolved anew; all else stays as it is.
 *
 * @throws {KmodError} as `makeLock` does; {SpecError} `LOCK_OUTDATED` when the lock is of another set.
 */
export async function updateLock(set: DriverSet, lock: Lock, range: ReleaseRange, io: Io): Promise<Lock> {
  requireLockOf(set, lock);
  const { targets, excluded, failures } = await resolveSet(set, { keepGoing: true, within: range }, io);
  throwFirst(failures, io);
  const all = sorted([
    ...lock.targets.filter(({ release }) => !isInRange(release.version, range)),
    ...targets,
  ]);
  return {
    ...lock,
    targets: all,
    pins: await pinNewKernels(set, { pins: lock.pins, targets: all }, io),
    excluded: [...lock.excluded.filter(({ version }) => !isInRange(version, range)), ...excluded].sort(
      (a, b) => compareVersions(a.version, b.version),
    ),
  };
}

/**
 * Says what has moved since a lock was made: releases in the graph, tags, branches, images that are gone.
 *
 * @throws {SpecError} `LOCK_OUTDATED` when the lock is of another set; {RegistryError} when something cannot be reached;
 *   {ResolveError} for a release that is there and cannot be used.
 */
export async function checkLock(set: DriverSet, lock: Lock, io: Io): Promise<readonly LockChange[]> {
  requireLockOf(set, lock);
  const { targets, failures, excluded } = await resolveSet(set, { keepGoing: true }, io);
  const isGone = ({ error }: Failure): boolean =>
    (error instanceof ResolveError || error instanceof RegistryError) && GONE.has(error.code);
  const other = failures.find((failure) => !isGone(failure));
  if (other !== undefined) throw other.error;
  const now = { ...lock, targets, excluded, pins: await pinAll(set, targets, io) };
  return [...compareLocks(lock, now), ...(await findGone(lock, io))];
}

/** What differs between two locks of one set. */
export function compareLocks(was: Lock, now: Lock): readonly LockChange[] {
  const before = new Map(was.targets.map((target) => [targetId(target), target]));
  const after = new Map(now.targets.map((target) => [targetId(target), target]));
  return [
    ...[...after].flatMap(([what, target]): readonly LockChange[] => {
      const old = before.get(what);
      const text = formatReference(target.release.reference);
      return old === undefined
        ? [{ kind: 'release-added', what, now: text }]
        : compareTargets(what, old, target);
    }),
    ...[...before].flatMap(([what, { release }]): readonly LockChange[] =>
      after.has(what) ? [] : [{ kind: 'release-removed', what, was: formatReference(release.reference) }],
    ),
    ...Object.entries(now.pins).flatMap(([what, pin]): readonly LockChange[] => {
      const old = was.pins[what];
      const [oldText, text] = [old && pinText(old), pinText(pin)];
      return oldText === text ? [] : [{ kind: 'source-moved', what, was: oldText, now: text }];
    }),
  ];
}

function compareTargets(what: string, was: Target, now: Target): readonly LockChange[] {
  const textOf = ({ release, osImage, driverToolkit, extensions }: Target): readonly string[] => [
    formatReference(release.reference),
    ...[osImage, driverToolkit, ...(extensions === undefined ? [] : [extensions])].map(
      ({ name, reference }) => `${name} ${formatReference(reference)}`,
    ),
    `kernel ${osImage.kernel}`,
  ];
  const [before, after] = [textOf(was), textOf(now)];
  const moved = before.findIndex((text, index) => text !== after[index]);
  if (moved >= 0) return [{ kind: 'release-moved', what, was: before[moved], now: after[moved] }];
  const risksOf = ({ update }: Target): string =>
    (update?.risks ?? [])
      .map(({ name }) => name)
      .sort()
      .join(', ') || 'none';
  const [oldRisks, risks] = [risksOf(was), risksOf(now)];
  return oldRisks === risks ? [] : [{ kind: 'risks-changed', what, was: oldRisks, now: risks }];
}

/** Images of a lock that are not where it says, each once. */
async function findGone({ targets }: Lock, io: Io): Promise<readonly LockChange[]> {
  const images = limitedImages(io.images, REQUESTS_AT_ONCE);
  const places = new Map<string, Reference>();
  for (const { release, osImage, driverToolkit, extensions } of targets) {
    const locations = [osImage, driverToolkit, ...(extensions === undefined ? [] : [extensions])];
    for (const place of [release.reference, ...locations.map(({ location }) => location)]) {
      places.set(formatReference(place), place);
    }
  }
  const gone = await Promise.all(
    [...places].map(async ([what, place]): Promise<readonly LockChange[]> => {
      if (place.digest === undefined) return [];
      const repository = await images.open(place, 'read');
      const isThere = (await repository.findManifest(place.digest)) !== undefined;
      return isThere ? [] : [{ kind: 'image-gone', what, was: place.digest }];
    }),
  );
  return gone.flat();
}

/**
 * Makes sure that sources of this machine are what a lock says; those of git are taken at the commit that it names.
 *
 * @throws {CompileError} `SOURCE_CHANGED`.
 */
export async function requireSources(set: DriverSet, { pins, targets }: Lock, io: Io): Promise<void> {
  for (const driver of set.drivers) {
    const pin = pins[driver.name];
    if (pin === undefined || isPinnedElsewhere(pin)) continue;
    const now = await pinSource(driver, set, io, kernelsOf(set, targets));
    if (pinText(now) === pinText(pin)) continue;
    throw new CompileError(
      'SOURCE_CHANGED',
      `Cannot build driver ${driver.name} as it is locked: its source is ${pinText(now)}, not ${pinText(pin)}`,
      { hint: 'Run "kmodlayer lock" to take the change over, or pass --no-lock.' },
    );
  }
}

/**
 * Refuses the lock of another set.
 *
 * @throws {SpecError} `LOCK_OUTDATED`.
 */
export function requireLockOf(set: DriverSet, { spec }: Pick<Lock, 'spec'>): void {
  if (spec === lockIdentity(set)) return;
  throw new SpecError(
    'LOCK_OUTDATED',
    `Cannot use the lock file with ${set.file}: it answers other releases or sources than this spec names`,
    { hint: 'Run "kmodlayer lock" after each change of "targets" and "source", or pass --no-lock.' },
  );
}

/** What a pin alone finds again: a commit, or images by their digests. */
function isPinnedElsewhere(pin: PinnedSource): boolean {
  return pin.type === 'git' || pin.type === 'image' || (pin.type === 'dkms' && pin.tree.type === 'git');
}

async function pinAll(
  set: DriverSet,
  targets: readonly Target[],
  io: Io,
): Promise<Readonly<Record<string, PinnedSource>>> {
  const kernels = kernelsOf(set, targets);
  const pins = await Promise.all(
    set.drivers.map(async (driver) => [driver.name, await pinSource(driver, set, io, kernels)] as const),
  );
  return Object.fromEntries(pins);
}

/** Pins as they are; images for kernels that have none yet are looked up, those for kernels that are gone are left out. */
async function pinNewKernels(
  set: DriverSet,
  { pins, targets }: Pick<Lock, 'pins' | 'targets'>,
  io: Io,
): Promise<Lock['pins']> {
  const renewed: Record<string, PinnedSource> = { ...pins };
  for (const driver of set.drivers) {
    const pin = pins[driver.name];
    if (pin?.type !== 'image') continue;
    const kernels = kernelsOf(set, targets);
    const missing = kernels.filter((one) => pin.images[imageKey(one)] === undefined);
    const added = await pinSource(driver, set, io, missing);
    const known: Readonly<Record<string, Digest>> = {
      ...pin.images,
      ...(added.type === 'image' ? added.images : {}),
    };
    const images = kernels.flatMap((one) => {
      const digest = known[imageKey(one)];
      return digest === undefined ? [] : [[imageKey(one), digest] as const];
    });
    renewed[driver.name] = { type: 'image', images: Object.fromEntries(images) };
  }
  return renewed;
}

function pinText(pin: PinnedSource): string {
  switch (pin.type) {
    case 'git':
      return `${pin.ref} at ${pin.commit}`;
    case 'dkms':
      return pinText(pin.tree);
    case 'image':
      return Object.entries(pin.images)
        .map(([kernel, digest]) => `${digest} for ${kernel}`)
        .sort()
        .join(', ');
    case 'directory':
    case 'files':
    case 'archive':
    case 'srpm':
    case 'rpm':
    case 'module':
      return pin.digest;
  }
}

function throwFirst([first, ...others]: readonly Failure[], { report }: Io): void {
  if (first === undefined) return;
  for (const { what, error } of others) {
    report({
      type: 'warning',
      message: `${what}: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
  throw first.error;
}
