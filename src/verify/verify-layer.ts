import type { Io } from '../io.ts';
import { readBaseModules } from '../layer/base.ts';
import type { LayeredTree } from '../layer/layer.ts';
import { modulePath, type PlacedDriver } from '../layer/place.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import type { Certificate } from '../sign/certificate.ts';
import type { KernelFacts } from './kernel-facts.ts';
import { readKernelFacts } from './kernel-facts.ts';
import type { TargetReport } from './report.ts';
import { makeTargetReport } from './target-report.ts';
import { type TreeModule, verifyTree } from './verify-tree.ts';

export interface VerifyLayerRequest {
  /** The base, by the name under which the report shows it. */
  readonly subject: string;
  readonly image: OpenedImage;
  readonly kernel: Pick<KernelFacts, 'release' | 'arch'>;
  /** OpenShift release of the base. */
  readonly release: string;
  /** What was laid on the base, and the tree that came of it. */
  readonly drivers: readonly PlacedDriver[];
  readonly tree: LayeredTree;
  /** Certificates that the modules were signed for; none when they are not signed. */
  readonly certificates: readonly Certificate[];
}

/**
 * Verifies the modules of a layer against the base that it goes on, from what was read of that anyway.
 *
 * @throws {ModuleError} for indexes or modules of the base that cannot be read; {LayerError} `INDEX_NOT_FOUND`.
 */
export async function verifyLayer(
  { subject, image, kernel, release, drivers, tree, certificates }: VerifyLayerRequest,
  io: Pick<Io, 'cache'>,
): Promise<TargetReport> {
  const { base, kernelFiles } = tree;
  const facts = await readKernelFacts({
    ...kernel,
    symvers: tree.symvers,
    modules: kernelFiles.module === undefined ? [] : [kernelFiles.module.bytes],
    builtins: base.indexes.get('modules.builtin.bin'),
    config: kernelFiles.config?.bytes,
  });
  const modules = drivers.flatMap((driver) =>
    driver.modules.map(({ fileName, bytes, parameters }): TreeModule => {
      return { path: modulePath(driver.name, fileName), read: () => Promise.resolve(bytes), parameters };
    }),
  );
  const firmware = new Set(drivers.flatMap((driver) => driver.firmware.map(({ path }) => path)));
  const report = await verifyTree({
    kernel: facts,
    modules,
    indexes: tree.indexes,
    baseIndexes: base.indexes,
    depmodConfig: tree.depmodConfig,
    readBaseModules: (paths) => readBaseModules(image, { kernel: kernel.release, paths }, io),
    certificates: certificates.length === 0 ? undefined : certificates,
    hasFirmware: (name) => isAmong(firmware, name) || undefined,
  });
  const evidence = [kernelFiles.symvers, kernelFiles.config, kernelFiles.module]
    .filter((file) => file !== undefined)
    .map(({ name, bytes }) => ({ name, sizeBytes: bytes.length }))
    .concat([...base.indexes].map(([name, bytes]) => ({ name, sizeBytes: bytes.length })));
  return makeTargetReport({ subject, kernel, release, tree: report, evidence });
}

/** The kernel finds compressed firmware by its plain name. */
function isAmong(paths: ReadonlySet<string>, name: string): boolean {
  return ['', '.xz', '.zst'].some((end) => paths.has(name + end));
}
