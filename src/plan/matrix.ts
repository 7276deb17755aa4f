import type { CompileUnit, ImageUnit, KmodImageUnit } from './plan.ts';

/** Jobs that one matrix may have on GitHub. */
export const MAX_JOBS = 256;

/** One job of a matrix: what `build --only` takes, and what to call it. */
export interface MatrixCell {
  /** For people: the kernels, shortened when there are many. */
  readonly name: string;
  /** Value for `build --only`. */
  readonly only: string;
  readonly arch: string;
  readonly kernels: readonly string[];
  readonly compiles: number;
  readonly images: number;
  readonly kmodImages: number;
}

/** Work that a matrix is made of: what is not there yet. */
export interface MatrixWork {
  readonly compiles: readonly CompileUnit[];
  readonly images: readonly ImageUnit[];
  readonly kmodImages: readonly KmodImageUnit[];
}

export interface Matrix {
  readonly include: readonly MatrixCell[];
  /** Kernels that are in the matrix, and most of them in one job. */
  readonly kernels: number;
  readonly kernelsInAJob: number;
}

/**
 * A matrix for GitHub Actions, one job for each kernel: releases that share a kernel must share its job, or it would be
 * compiled for several times. Of more kernels than jobs, several of one architecture go into one job.
 *
 * @param maxJobs Jobs that the matrix may have.
 */
export function makeMatrix(work: MatrixWork, maxJobs = MAX_JOBS): Matrix {
  const groups = groupByKernel(work);
  const arches = [...new Set(groups.map(({ arch }) => arch))];
  let kernelsInAJob = 1;
  // A job is for one architecture, whose rest may leave it half full: one more kernel in each, until they are few enough.
  while (jobsOf(groups, arches, kernelsInAJob) > Math.max(maxJobs, arches.length)) kernelsInAJob++;
  const include = arches.flatMap((arch) =>
    inPieces(
      groups.filter((group) => group.arch === arch),
      kernelsInAJob,
    ).map(cellOf),
  );
  return { include, kernels: groups.length, kernelsInAJob };
}

/** What is to be done for a kernel. */
interface KernelWork {
  readonly kernel: string;
  readonly arch: string;
  compiles: number;
  images: number;
  kmodImages: number;
}

function groupByKernel({ compiles, images, kmodImages }: MatrixWork): readonly KernelWork[] {
  const groups = new Map<string, KernelWork>();
  const groupOf = (kernel: string, arch: string): KernelWork => {
    const key = `${kernel} ${arch}`;
    const group = groups.get(key) ?? { kernel, arch, compiles: 0, images: 0, kmodImages: 0 };
    groups.set(key, group);
    return group;
  };
  for (const { kernel, arch } of compiles) groupOf(kernel, arch).compiles++;
  for (const { target } of images) groupOf(target.osImage.kernel, target.arch).images++;
  for (const { kernel, arch } of kmodImages) groupOf(kernel, arch).kmodImages++;
  return [...groups.values()];
}

function jobsOf(groups: readonly KernelWork[], arches: readonly string[], size: number): number {
  const sizes = arches.map((arch) => groups.filter((group) => group.arch === arch).length);
  return sizes.reduce((sum, count) => sum + Math.ceil(count / size), 0);
}

function inPieces<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  );
}

function cellOf(groups: readonly KernelWork[]): MatrixCell {
  const kernels = groups.map(({ kernel }) => kernel);
  const [first = '', ...others] = kernels;
  const arch = groups[0]?.arch ?? '';
  const sum = (field: 'compiles' | 'images' | 'kmodImages'): number =>
    groups.reduce((total, group) => total + group[field], 0);
  return {
    name: others.length === 0 ? first : `${first} and ${others.length} more`,
    only: [`arch=${arch}`, ...kernels.map((kernel) => `kernel=${kernel}`)].join(','),
    arch,
    kernels,
    compiles: sum('compiles'),
    images: sum('images'),
    kmodImages: sum('kmodImages'),
  };
}
