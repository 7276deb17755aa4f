import { CompileError } from '../errors.ts';
import type { Files } from '../io.ts';
import type { PlacedDriver } from './place.ts';

/** Firmware of one driver, in all: 256 MiB. It is held in memory. */
const MAX_FIRMWARE_BYTES = 256 * 1024 ** 2;

/**
 * The firmware of a driver: every file of a directory, by its path in it, which is its path below `usr/lib/firmware`.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE` when the directory is missing or empty, holds more than 256 MiB, or has
 *   a file that cannot be read.
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
  // One after the other, so that nothing large is read before the sum of what came before it is known.
  const firmware: { path: string; bytes: Uint8Array }[] = [];
  let sizeBytes = 0;
  for (const path of paths) {
    const bytes = await readFile(`${directory}/${path}`, files);
    sizeBytes += bytes.length;
    if (sizeBytes > MAX_FIRMWARE_BYTES) {
      throw new CompileError(
        'SOURCE_UNREADABLE',
        `Cannot use the firmware directory ${directory}: it has more than ${MAX_FIRMWARE_BYTES} bytes`,
        { hint: 'Name a directory that holds the firmware of this driver alone.' },
      );
    }
    firmware.push({ path, bytes });
  }
  return firmware;
}

async function readFile(path: string, files: Files): Promise<Uint8Array> {
  try {
    return await files.read(path);
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read the firmware ${path}`, {
      cause: error,
      hint: 'Check who may read the file; it may have at most 256 MiB.',
    });
  }
}
