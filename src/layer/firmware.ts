import { CompileError } from '../errors.ts';
import type { Files } from '../io.ts';
import type { PlacedDriver } from './place.ts';

/** Largest firmware file: 256 MiB. */
const MAX_FIRMWARE_BYTES = 256 * 1024 ** 2;

/**
 * The firmware of a driver: every file of a directory, by its path in it, which is its path below `usr/lib/firmware`.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE` when the directory is missing, empty, or holds a file over 256 MiB.
 */
export async function readFirmware(directory: string, files: Files): Promise<PlacedDriver['firmware']> {
  const paths = await files.list(directory).catch((error: unknown) => {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read the firmware directory ${directory}`, {
      cause: error,
      hint: 'Name a directory that holds the files as they shall lie below /usr/lib/firmware.',
    });
  });
  if (paths.length === 0) {
    throw new CompileError(
      'SOURCE_UNREADABLE',
      `Cannot use the firmware directory ${directory}: it is empty`,
    );
  }
  return Promise.all(
    paths.map(async (path) => {
      const bytes = await files.read(`${directory}/${path}`);
      if (bytes.length > MAX_FIRMWARE_BYTES) {
        throw new CompileError(
          'SOURCE_UNREADABLE',
          `Cannot use firmware ${path}: it has ${bytes.length} bytes`,
        );
      }
      return { path, bytes };
    }),
  );
}
