import { resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { parseRegistryImage } from '../src/manifests/registry-image.ts';
import { type LayoutReference, parseReference } from '../src/oci/reference.ts';
import { createBundle } from '../src/push/bundle/create.ts';
import { isLayoutRepository, type LayoutRepository } from '../src/registry/layout.ts';
import { resolveSet } from '../src/resolve-set.ts';
import type { Target } from '../src/resolve/target.ts';
import { parseReleaseRequest } from '../src/spec/release-request.ts';
import { parseGraphLocation } from '../src/spec/values.ts';
import type { BundleCreateFlags } from './commands/bundle.ts';
import type { CliContext } from './context.ts';
import { findLock } from './lock-file.ts';
import { makeIo } from './make-io.ts';
import { readSpec } from './read-spec.ts';
import { createdBundleData, createdBundleText } from './report/bundle-text.ts';
import { printResult } from './report/output.ts';

/**
 * Writes a bundle, and says what is in it.
 *
 * @throws {SpecError} `USAGE`; and as `resolveSet` and `createBundle` do.
 */
export async function runBundleCreate(
  releases: readonly string[],
  flags: BundleCreateFlags,
  context: CliContext,
): Promise<void> {
  const { file, image = [], out, output } = flags;
  if (releases.length === 0 && file === undefined && image.length === 0) {
    throw usage(
      'there is nothing to put into it',
      'Name releases, a spec with --file, or images with --image.',
    );
  }
  if (file !== undefined && (releases.length > 0 || flags.arch !== undefined || flags.stream !== undefined)) {
    throw usage(
      'the spec says which releases it is for',
      'Leave --file out, or RELEASE, --arch and --stream.',
    );
  }
  const images = image.map(parseRegistryImage);
  const io = await makeIo(context, flags);
  const to = await openArchive(out, io);
  const targets =
    file === undefined
      ? await targetsOf(releases, flags, io, context)
      : await targetsOfSpec({ ...flags, file }, io, context);
  const created = await createBundle({ targets, images }, to, io);
  await printResult(context, output, {
    verb: 'bundle-create',
    data: { file: out, ...createdBundleData(created) },
    text: () => createdBundleText(out, created),
  });
}

async function openArchive(out: string, io: Io): Promise<LayoutRepository> {
  const reference = parseReference(`oci-archive:${out}`) as LayoutReference;
  const repository = reference.tag === undefined ? await io.images.open(reference, 'write') : undefined;
  if (repository !== undefined && isLayoutRepository(repository)) return repository;
  throw usage(`${JSON.stringify(out.slice(0, 200))} has a colon`, 'Give --out a name without one.');
}

async function targetsOf(
  releases: readonly string[],
  { arch, stream, releaseRepository, graph }: BundleCreateFlags,
  io: Io,
  { cwd }: CliContext,
): Promise<readonly Target[]> {
  if (releases.length === 0) return [];
  const location = graph === undefined ? undefined : parseGraphLocation(graph);
  const selection = {
    releases: releases.map(parseReleaseRequest),
    arches: arch ?? ['x86_64' as const],
    streams: stream,
    kernels: [],
    releaseRepository: releaseRepository === undefined ? undefined : parseReference(releaseRepository),
    graph: location?.type === 'file' ? { ...location, path: resolve(cwd, location.path) } : location,
    exclude: [],
    ceilings: [],
  };
  // Paths of layouts start where a spec would be.
  const set = { file: resolve(cwd, 'kmodlayer.yaml'), targets: selection };
  return (await resolveSet(set, {}, io)).targets;
}

async function targetsOfSpec(
  flags: BundleCreateFlags & { readonly file: string },
  io: Io,
  context: CliContext,
): Promise<readonly Target[]> {
  const set = await readSpec(flags, io, context);
  const lock = await findLock(set, flags, io, context);
  return (await resolveSet(set, { lock }, io)).targets;
}

function usage(why: string, hint: string): SpecError {
  return new SpecError('USAGE', `Cannot make a bundle: ${why}`, { hint });
}
