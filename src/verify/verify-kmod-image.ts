import { LayerError, ModuleError, SpecError } from '../errors.ts';
import { readBase } from '../layer/base.ts';
import { mergeWithBase } from '../layer/merge-base.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { Arch } from '../oci/arch.ts';
import { osKernel } from '../resolve/os-kernel.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { addedFiles, type ForeignModule, placeModules } from './foreign-modules.ts';
import type { LintedImage } from './image/lint-image.ts';
import { kmodImageModules } from './image/rules/kmod-image-rules.ts';
import { countOf, namesOf } from './image/words.ts';
import { proveOnBase, type ProvenTree } from './prove-on-base.ts';
import type { ProvenTarget } from './proven-target.ts';
import type { Finding } from './report.ts';
import { archOf, otherKernel, reportOf, type VerifyImageRequest, type VerifyIo } from './image-report.ts';

/**
 * Verifies the modules of a kmod image that are for the kernel of an OS image, as if modprobe loaded them there.
 *
 * @throws {SpecError} `USAGE` without an OS image; as `proveModules` does.
 */
export async function verifyKmodImage(
  request: VerifyImageRequest,
  { tree, findings }: LintedImage & { kind: 'kmod' },
  io: VerifyIo,
): Promise<ProvenTarget> {
  const { base, image } = request;
  if (base === undefined) {
    throw new SpecError('USAGE', `Cannot verify ${request.subject}: it is not an OS image`, {
      hint: 'For a kmod image, name the OS image that its modules are loaded on: --base IMAGE.',
    });
  }
  const arch = archOf(image);
  const { release: kernel } = await osKernel(base, archOf(base), io);
  const all = kmodImageModules(tree);
  const wanted = all.filter((module) => module.kernel === kernel);
  const others = [...new Set(all.map((module) => module.kernel))].filter((other) => other !== kernel);
  const absent: Finding = {
    rule: 'absent-kernel',
    severity: 'error',
    path: all[0]?.file,
    message: `the image has ${countOf(all.length, 'module')} for ${namesOf(others)} and none for ${kernel}, which the OS image boots: nothing is loaded there`,
    hint: 'Build the kmod image for this kernel.',
  };
  const modules = wanted.flatMap(({ file, path }): ForeignModule[] => {
    const bytes = tree.files.get(file);
    return bytes === undefined
      ? []
      : [{ name: file, fileName: path.slice(path.lastIndexOf('/') + 1), bytes }];
  });
  const proven = await proveModules({ base, kernel, arch, modules, certificates: request.certificates }, io);
  const report = reportOf(request, { kernel, arch }, proven, [
    ...(request.kernel === undefined || request.kernel === kernel
      ? []
      : [otherKernel(request.kernel, kernel)]),
    ...(wanted.length === 0 && all.length > 0 ? [absent] : []),
    ...findings,
  ]);
  return { report, source: { type: 'image', image: base }, added: proven.added };
}

export interface ProveModulesRequest {
  readonly base: OpenedImage;
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  readonly modules: readonly ForeignModule[];
  readonly certificates: VerifyImageRequest['certificates'];
}

/**
 * Proves modules that are in no layer against the kernel of an OS image.
 *
 * @throws {ModuleError} `DUPLICATE_MODULE`; {LayerError} `INDEX_NOT_FOUND`; as reading the base does.
 */
export async function proveModules(
  { base: image, kernel, arch, modules, certificates }: ProveModulesRequest,
  io: VerifyIo,
): Promise<ProvenTree & Pick<ProvenTarget, 'added'>> {
  const placed = await placeModules(modules);
  const base = await readBase(image, kernel, io);
  const ownConfig = new Map<string, Uint8Array>();
  const indexes = await tryMerge(() =>
    mergeWithBase({ image, base, kernel, added: placed.added, ownConfig }, io),
  );
  const proven = await proveOnBase(
    {
      image,
      kernel: { release: kernel, arch },
      modules: placed.modules,
      indexes: indexes === undefined ? new Map() : new Map([...base.indexes, ...indexes.files]),
      baseIndexes: base.indexes,
      certificates,
    },
    io,
  );
  return {
    ...proven,
    tree: placed.named(proven.tree),
    added: addedFiles(kernel, placed, indexes?.files),
  };
}

/** Modules that cannot be indexed together are looked at one by one. */
async function tryMerge<T>(merge: () => Promise<T>): Promise<T | undefined> {
  try {
    return await merge();
  } catch (error) {
    if (error instanceof ModuleError || error instanceof LayerError) return undefined;
    throw error;
  }
}
