import { dirname, isAbsolute, join } from 'node:path';
import type { Reference } from '../oci/reference.ts';

/**
 * A path of a spec as the command that runs can open it: relative ones start at the directory of the spec.
 *
 * @param file The spec, as `DriverSet.file` has it.
 */
export function pathFrom(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}

/** The same for the directory of an `oci:` layout or an archive; names in registries stay as they are. */
export function referenceFrom(file: string, reference: Reference): Reference {
  return reference.transport === 'docker'
    ? reference
    : { ...reference, path: pathFrom(file, reference.path) };
}
