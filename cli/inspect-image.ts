import { ModuleError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import type { OpenedImage } from '../src/oci/open-image.ts';
import { inspectModule } from '../src/sign/inspect-module.ts';
import { MODULE_FILE } from '../src/verify/image/added-layer.ts';
import { type Boundary, findBoundary } from '../src/verify/image/boundary.ts';
import { readChanges } from '../src/verify/image/changes.ts';
import { isOsImage } from '../src/verify/image/lint-image.ts';
import type { InspectFlags } from './commands/inspect.ts';
import { openNamedImage } from './open-named-image.ts';
import type { InspectedImage, InspectedModule } from './report/image-text.ts';

/**
 * Reads what an image is, and what its layers do to the base that they stand on.
 *
 * @throws {OciError} and {RegistryError} when something cannot be had.
 */
export async function inspectImage(name: string, flags: InspectFlags, io: Io): Promise<InspectedImage> {
  const base = flags.base === undefined ? undefined : await openNamedImage(flags.base, flags.arch, io);
  const { reference, image } = await openNamedImage(name, flags.arch, io);
  const boundary = boundaryOf(image, findBoundary(image, { base: base?.image, layers: flags.layers }));
  if (boundary === undefined) return { reference, image, changes: undefined, modules: [] };
  const changes = await readChanges(image, boundary, { isBaseRead: flags.readBase === true }, io);
  const modules: InspectedModule[] = [];
  for (const [path, bytes] of [...changes.tree.files].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (MODULE_FILE.test(path)) modules.push(await inspectFile(path, bytes));
  return { reference, image, changes, modules };
}

/** An image that is no OS image stands on nothing: all of it was added. */
function boundaryOf({ config }: OpenedImage, found: Boundary | undefined): Boundary | undefined {
  return found ?? (isOsImage(config) ? undefined : { baseLayers: 0, foundBy: 'whole' });
}

async function inspectFile(path: string, bytes: Uint8Array): Promise<InspectedModule> {
  try {
    return { path, inspection: await inspectModule(bytes), problem: undefined };
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    return { path, inspection: undefined, problem: error.message };
  }
}
