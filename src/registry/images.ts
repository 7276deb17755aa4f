import { resolve } from 'node:path';
import { RegistryError } from '../errors.ts';
import { formatReference } from '../oci/reference.ts';
import { layoutRepository } from './layout.ts';
import { checkLayoutDirectory, layoutDirectory } from './layout-directory.ts';
import type { Images } from './repository.ts';

/** How registries, layouts and archives are reached. */
export interface ImagesOptions {
  /** Stops everything when aborted. */
  readonly signal?: AbortSignal;
}

/** Opens repositories by their names. */
export function makeImages(options: ImagesOptions): Images {
  return {
    async open(reference, purpose) {
      if (reference.transport !== 'oci') {
        throw new RegistryError('UNSUPPORTED', `Cannot open ${formatReference(reference)}`);
      }
      const directory = resolve(reference.path);
      if (purpose === 'read') await checkLayoutDirectory(directory);
      return layoutRepository(
        { transport: 'oci', path: reference.path },
        layoutDirectory(directory),
        options.signal,
      );
    },
  };
}
