import pLimit from 'p-limit';
import type { CompiledDriver } from './compile/compile.ts';
import { OciError, RegistryError } from './errors.ts';
import { findReusable, type Lookup, type ReusableImage, type WantedImage } from './find-reusable.ts';
import type { Io } from './io.ts';
import type { Reference } from './oci/reference.ts';
import { imageTag, kmodImageTag } from './plan/image-tag.ts';
import type { CompileUnit, ImageUnit, KmodImageUnit, Plan } from './plan/plan.ts';
import { withNeeds } from './plan/select.ts';
import type { PlannedBuild } from './plan-set.ts';
import { type RemakeContext, remakeKmodImage, remakeOsImage } from './remake-image.ts';
import { makeReuse } from './reuse-modules.ts';
import { type DriverSet, referenceFrom } from './spec/spec.ts';

/** What becomes of a driver that is to be compiled for a kernel. `why` says it in a few words. */
export type CompileDecision =
  | {
      /** `reuse`: its modules are in images that are there, and no other image needs them. */
      readonly action: 'compile' | 'reuse';
      readonly why: string;
    }
  /** Modules that were made for another kernel hold on this one. */
  | { readonly action: 'reuse-without-compiling'; readonly why: string; readonly found: CompiledDriver };

/** What becomes of an image. `why` says it in a few words. */
export type ImageDecision =
  | { readonly action: 'build'; readonly why: string }
  | { readonly action: 'reuse'; readonly why: string; readonly found: ReusableImage };

/** What becomes of each unit of a plan. */
export interface Decisions {
  readonly images: ReadonlyMap<ImageUnit, ImageDecision>;
  readonly kmodImages: ReadonlyMap<KmodImageUnit, ImageDecision>;
  readonly compiles: ReadonlyMap<CompileUnit, CompileDecision>;
  /** False when the registry was not asked: then nothing is known to be there. */
  readonly isLookedUp: boolean;
}

export interface DecideOptions {
  /** Asks no registry. */
  readonly isOffline?: boolean | undefined;
  /** Takes nothing that is there. */
  readonly force?: boolean | undefined;
  /** Takes modules that were made for other kernels, where they are proven to load; what the set says when absent. */
  readonly reuseModules?: boolean | undefined;
}

/** Images that are looked up at a time. */
const LOOKUPS_AT_ONCE = 8;

/**
 * Decides what is to be done, and what is there already: an image is reused when it is under its tag, was made from the
 * same inputs, and holds modules that the signers of the set signed.
 *
 * @throws {RegistryError} {OciError} when the destination cannot be asked.
 */
export async function decide(
  set: DriverSet,
  { certificates, inputs }: Pick<PlannedBuild, 'certificates' | 'inputs'>,
  plan: Plan,
  { isOffline = false, force = false, reuseModules = set.reuse.withoutCompiling }: DecideOptions,
  io: Pick<Io, 'images' | 'cache' | 'compiled' | 'env' | 'signal'>,
): Promise<Decisions> {
  const reason = force
    ? 'it is to be built in any case'
    : certificates === undefined
      ? 'it is signed with a key that is made for the build'
      : isOffline
        ? 'what is there was not looked up'
        : undefined;
  if (reason !== undefined || certificates === undefined) {
    const build = <U>(unit: U): readonly [U, ImageDecision] => [unit, { action: 'build', why: reason ?? '' }];
    const images = new Map(plan.images.map(build));
    const kmodImages = new Map(plan.kmodImages.map(build));
    return {
      images,
      kmodImages,
      compiles: decideCompiles(plan, [...images, ...kmodImages]),
      isLookedUp: false,
    };
  }
  const context = { set, inputs, certificates };
  const [images, kmodImages] = await Promise.all([
    lookUp(
      plan.images,
      {
        repository: set.publish.osImage,
        ...{ context, allowsOtherKernels: reuseModules },
        wantedOf: (unit) => ({
          tag: imageTag(unit),
          ...{ kernel: unit.target.osImage.kernel, arch: unit.target.arch },
          hasInitramfs: unit.compiles.some(({ driver }) => driver.modules.some((one) => one.initramfs)),
          remake: (found) => remakeOsImage(unit, context, found, io),
        }),
      },
      io,
    ),
    lookUp(
      plan.kmodImages,
      {
        repository: set.publish.kmodImage ?? set.publish.osImage,
        ...{ context, allowsOtherKernels: reuseModules },
        wantedOf: (unit) => ({
          tag: kmodImageTag(unit),
          ...{ kernel: unit.kernel, arch: unit.arch, hasInitramfs: false },
          remake: (found) => remakeKmodImage(unit, context, found, io),
        }),
      },
      io,
    ),
  ]);
  const compiles = decideCompiles(plan, [...images, ...kmodImages]);
  return {
    images,
    kmodImages,
    compiles: reuseModules ? await withReuse(set, certificates, compiles, io) : compiles,
    isLookedUp: true,
  };
}

/** Kernels whose modules are proven at a time. */
const PROOFS_AT_ONCE = 2;

/** The same, where modules of other kernels take the place of compiles. */
async function withReuse(
  set: DriverSet,
  certificates: PlannedBuild['certificates'] & object,
  compiles: Decisions['compiles'],
  io: Pick<Io, 'images' | 'cache' | 'compiled' | 'signal'>,
): Promise<Decisions['compiles']> {
  const reuse = makeReuse(set, certificates, io);
  const limit = pLimit(PROOFS_AT_ONCE);
  const needed = new Set([...compiles.keys()].flatMap(({ needs }) => needs));
  const decided = await Promise.all(
    [...compiles].map(([unit, decision]) =>
      limit(async (): Promise<readonly [CompileUnit, CompileDecision]> => {
        io.signal.throwIfAborted();
        if (decision.action !== 'compile') return [unit, decision];
        // Symbols of one are handed on to the other: they are compiled together.
        if (unit.needs.length > 0 || needed.has(unit)) return [unit, decision];
        const outcome = await reuse(unit);
        if (outcome.isReusable) {
          return [unit, { action: 'reuse-without-compiling', why: outcome.why, found: outcome.found }];
        }
        const why = outcome.why === undefined ? decision.why : `${decision.why}; ${outcome.why}`;
        return [unit, { action: 'compile', why }];
      }),
    ),
  );
  return new Map(decided);
}

interface Place<U> {
  readonly repository: Reference;
  readonly context: RemakeContext;
  readonly allowsOtherKernels: boolean;
  readonly wantedOf: (unit: U) => Pick<WantedImage, 'tag' | 'kernel' | 'arch' | 'hasInitramfs' | 'remake'>;
}

async function lookUp<U extends ImageUnit | KmodImageUnit>(
  units: readonly U[],
  { repository: named, context, allowsOtherKernels, wantedOf }: Place<U>,
  io: Pick<Io, 'images' | 'cache' | 'env' | 'signal'>,
): Promise<ReadonlyMap<U, ImageDecision>> {
  if (units.length === 0) return new Map();
  const { set, certificates } = context;
  const repository = await io.images.open(referenceFrom(set.file, named), 'write');
  const limit = pLimit(LOOKUPS_AT_ONCE);
  const decided = await Promise.all(
    units.map((unit) =>
      limit(async () => {
        io.signal.throwIfAborted();
        const wanted = {
          ...wantedOf(unit),
          certificates,
          allowsOtherKernels,
          inputHash: unit.inputHash,
          provenancePath: `usr/share/kmodlayer/${set.name}.json`,
          modules: unit.compiles.flatMap(({ driver }) => driver.modules.map(({ name }) => name)),
        };
        const lookup = await findReusable(wanted, repository, io).catch(unreadable);
        return [unit, decisionOf(lookup, certificates.length)] as const;
      }),
    ),
  );
  return new Map(decided);
}

/** What is broken under one tag is no reason not to build: it is replaced. A registry that does not answer is one. */
function unreadable(error: unknown): Lookup {
  const isBroken =
    error instanceof OciError ||
    (error instanceof RegistryError && (error.code === 'NOT_FOUND' || error.code === 'BLOB_UNKNOWN'));
  if (isBroken) return { isReusable: false, why: 'the image with its tag cannot be read' };
  throw error;
}

function decisionOf(lookup: Lookup, signers: number): ImageDecision {
  if (!lookup.isReusable) return { action: 'build', why: lookup.why };
  const signed = signers === 0 ? 'nobody signs it' : 'its signatures hold';
  return { action: 'reuse', why: `it is there with the same inputs, and ${signed}`, found: lookup.found };
}

/** A driver is compiled when an image that is to be built needs it. */
function decideCompiles(
  { compiles }: Plan,
  images: readonly (readonly [ImageUnit | KmodImageUnit, ImageDecision])[],
): ReadonlyMap<CompileUnit, CompileDecision> {
  const users = new Map<CompileUnit, string[]>();
  for (const [unit, { action }] of images) {
    if (action !== 'build') continue;
    for (const compile of new Set(unit.compiles.flatMap(withNeeds))) {
      const known = users.get(compile);
      if (known === undefined) users.set(compile, [unit.id]);
      else known.push(unit.id);
    }
  }
  return new Map(
    compiles.map((unit) => {
      const needed = users.get(unit) ?? [];
      const [first, ...others] = needed;
      const decision: CompileDecision =
        first === undefined
          ? { action: 'reuse', why: 'the images that need it are there' }
          : {
              action: 'compile',
              why: `needed by ${first}${others.length === 0 ? '' : ` and ${others.length} more`}`,
            };
      return [unit, decision] as const;
    }),
  );
}
