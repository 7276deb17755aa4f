import { RegistryError } from '../errors.ts';
import { isFileFailure, reasonOf } from '../file-failure.ts';
import type { LayoutStore } from './layout-store.ts';

/**
 * What a failed file operation means for the layout or archive that it was for; any other error comes back as it is.
 *
 * @param where The layout or archive, as users name it.
 */
export function storageFailure(where: string, error: unknown): unknown {
  if (error instanceof RegistryError || !isFileFailure(error)) return error;
  return new RegistryError('STORAGE_FAILED', `Cannot use ${where}: ${reasonOf(error) ?? error.message}`, {
    cause: error,
    hint: 'Check who may read and write there, and the space that is left; the same command then goes on.',
  });
}

/** A store whose failed file operations say where they failed, as `STORAGE_FAILED`. */
export function namingFailures(where: string, store: LayoutStore): LayoutStore {
  const named = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storageFailure(where, error);
    }
  };
  return {
    readIndex: () => named(() => store.readIndex()),
    updateIndex: (change) => named(() => store.updateIndex(change)),
    findBlob: (digest) => named(() => store.findBlob(digest)),
    async *openBlob(digest) {
      try {
        yield* store.openBlob(digest);
      } catch (error) {
        throw storageFailure(where, error);
      }
    },
    writeBlob: (blob, chunks) => named(() => store.writeBlob(blob, chunks)),
    linkBlob: (blob, from) => named(() => store.linkBlob(blob, from)),
    blobFile: (digest) => store.blobFile(digest),
  };
}
