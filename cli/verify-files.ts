import { basename } from 'node:path';
import type { Io } from '../src/io.ts';
import { formatReference } from '../src/oci/reference.ts';
import { osKernel } from '../src/resolve/os-kernel.ts';
import type { Certificate } from '../src/sign/certificate.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import type { ForeignModule } from '../src/verify/foreign-modules.ts';
import { archOf, otherKernel } from '../src/verify/image-report.ts';
import type { ProvenTarget } from '../src/verify/proven-target.ts';
import { makeTargetReport } from '../src/verify/target-report.ts';
import { proveModules } from '../src/verify/verify-kmod-image.ts';
import type { NamedImage } from './open-named-image.ts';

/** A module that the user named. */
export interface GivenFile {
  readonly name: string;
  readonly read: () => Promise<Uint8Array>;
}

/**
 * Verifies files against the kernel of an OS image.
 *
 * @throws {ResolveError} `KERNEL_UNKNOWN`; {LayerError} `INDEX_NOT_FOUND`; {ModuleError} as the proof does.
 */
export async function verifyFilesOnImage(
  files: readonly GivenFile[],
  {
    reference,
    image,
    kernel,
    certificates,
  }: NamedImage & {
    readonly kernel: KernelRelease | undefined;
    readonly certificates: readonly Certificate[] | undefined;
  },
  io: Io,
): Promise<ProvenTarget> {
  const arch = archOf(image);
  const booted = (await osKernel(image, arch, io)).release;
  const modules = await readAll(files);
  const { tree, evidence, added } = await proveModules(
    { base: image, kernel: booted, arch, modules, certificates },
    io,
  );
  const report = makeTargetReport({
    subject: formatReference(reference),
    kernel: { release: booted, arch },
    tree,
    findings: kernel === undefined || kernel === booted ? [] : [otherKernel(kernel, booted)],
    evidence,
  });
  return { report, source: { type: 'image', image }, added };
}

/** Reads files that are not of the base. */
export async function readAll(files: readonly GivenFile[]): Promise<readonly ForeignModule[]> {
  return Promise.all(
    files.map(async ({ name, read }) => ({ name, fileName: basename(name), bytes: await read() })),
  );
}
