import type { Io } from '../io.ts';
import type { KernelModule } from '../kmod/module.ts';
import type { KernelSymbol } from '../kmod/symvers.ts';
import { readKernelFiles } from '../layer/kernel-files.ts';
import { readSymvers } from '../layer/layer.ts';
import { openImage } from '../oci/open-image.ts';
import { formatReference } from '../oci/reference.ts';
import type { Target } from '../resolve/target.ts';
import { findSymbolChanges, type SymbolChange } from './symbol-changes.ts';

/** Something of a release that is another in the other one. */
export interface FieldChange {
  readonly field: string;
  /** Empty where the release does not have it. */
  readonly before: string;
  readonly after: string;
}

/** A module, by the name that people know it by. */
export interface ComparedModule {
  readonly name: string;
  readonly module: KernelModule;
}

/** What became of one module. */
export interface ModuleChange {
  readonly name: string;
  /** With none, each symbol of the kernel that it uses is what it was. */
  readonly symbols: readonly SymbolChange[];
}

/** How two releases differ. */
export interface ReleaseDiff {
  readonly before: Target;
  readonly after: Target;
  /** Images, kernels and versions that changed, in a fixed order. */
  readonly fields: readonly FieldChange[];
  readonly isKernelChanged: boolean;
  /** One for each module, in their order; empty when the kernel is the same, since then none can have changed. */
  readonly modules: readonly ModuleChange[];
  /** A release whose OS image does not say what its kernel exports; nothing is known of modules then. */
  readonly withoutSymbols: Target | undefined;
}

/**
 * Compares two releases on one architecture and stream, and what the change does to modules. Reads of the OS images only
 * what their kernels export, and that only when they differ and there are modules.
 *
 * @throws {OciError} and {RegistryError} when an image cannot be read; {ModuleError} for symbols that cannot be.
 */
export async function diffReleases(
  {
    before,
    after,
    modules,
  }: { readonly before: Target; readonly after: Target; readonly modules: readonly ComparedModule[] },
  io: Pick<Io, 'images' | 'cache' | 'report'>,
): Promise<ReleaseDiff> {
  const isKernelChanged = before.osImage.kernel !== after.osImage.kernel;
  const diff = { before, after, fields: fieldChanges(before, after), isKernelChanged };
  if (!isKernelChanged || modules.length === 0) return { ...diff, modules: [], withoutSymbols: undefined };
  const [old, now] = await Promise.all([symbolsOf(before, io), symbolsOf(after, io)]);
  if (old === undefined || now === undefined) {
    return { ...diff, modules: [], withoutSymbols: old === undefined ? before : after };
  }
  return {
    ...diff,
    modules: modules.map(({ name, module }) => ({
      name,
      symbols: findSymbolChanges(module, { before: old, after: now }),
    })),
    withoutSymbols: undefined,
  };
}

async function symbolsOf(
  { osImage, arch }: Target,
  io: Pick<Io, 'images' | 'cache' | 'report'>,
): Promise<ReadonlyMap<string, KernelSymbol> | undefined> {
  const repository = await io.images.open(osImage.location, 'read');
  const image = await openImage(repository, osImage.digest, arch);
  return readSymvers(await readKernelFiles(image, osImage.kernel, io), io);
}

function fieldChanges(before: Target, after: Target): readonly FieldChange[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((field) => {
    const change = { field, before: old.get(field) ?? '', after: now.get(field) ?? '' };
    return change.before === change.after ? [] : [change];
  });
}

function fieldsOf(target: Target): ReadonlyMap<string, string> {
  const { release, osImage, driverToolkit, extensions } = target;
  return new Map([
    ['release', release.version],
    ['RHEL', target.rhelVersion],
    ['machine-os', osImage.machineOs],
    ...target.kernels.map((kernel) => [`kernel ${kernel.flavour}`, kernel.release] as const),
    ['payload', formatReference(release.reference)],
    ['OS image', formatReference(osImage.reference)],
    ['driver-toolkit', formatReference(driverToolkit.reference)],
    ['extensions', extensions === undefined ? '' : formatReference(extensions.reference)],
  ]);
}
