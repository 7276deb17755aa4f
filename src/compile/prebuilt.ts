import { CompileError } from '../errors.ts';
import { digestOf, makeHasher } from '../oci/digest.ts';
import type { Driver } from '../spec/driver-set.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { pathFrom } from '../spec/paths.ts';
import { collectModules } from './collected.ts';
import type { CompiledDriver, CompileIo, CompileRequest } from './compile.ts';
import { readImage } from './read-image.ts';
import { readPackage } from './read-package.ts';

/** Says whether the user brings the modules along. */
export function isPrebuilt({ source: { type } }: Pick<Driver, 'source'>): boolean {
  return type === 'files' || type === 'rpm' || type === 'image';
}

/**
 * Modules that are there already need no engine at all.
 *
 * @returns undefined when the driver has to be compiled.
 * @throws {CompileError} `SOURCE_UNREADABLE`, `MODULE_MISSING`, `CHECKSUM_MISMATCH`, `ARCHIVE_INVALID`.
 * @throws {RegistryError}, {OciError} of an image that cannot be read.
 */
export async function readPrebuilt(
  request: CompileRequest,
  io: CompileIo,
): Promise<CompiledDriver | undefined> {
  const { source } = request.driver;
  switch (source.type) {
    case 'files':
      return readFiles(request, source.paths, io);
    case 'rpm':
      return readPackage(request, source.packages, io);
    case 'image':
      return readImage(request, source.pattern, io);
    case 'directory':
    case 'git':
    case 'archive':
    case 'srpm':
    case 'dkms':
    case 'module':
      return undefined;
  }
}

async function readFiles(
  request: CompileRequest,
  paths: readonly string[],
  io: CompileIo,
): Promise<CompiledDriver> {
  const hasher = makeHasher();
  const contents = new Map<string, Uint8Array>();
  for (const path of paths) {
    const bytes = await readModuleFile(pathFrom(request.set.file, path), io);
    contents.set(path, bytes);
    hasher.update(Buffer.from(JSON.stringify([moduleNameOfPath(path), digestOf(bytes)])));
  }
  const read = (path: string): Promise<Uint8Array> => Promise.resolve(contents.get(path) ?? new Uint8Array());
  const files = [...contents.keys()];
  return {
    driver: request.driver.name,
    kernel: request.kernel,
    modules: await collectModules(request, { files, read, report: io.report, directory: '' }),
    symvers: undefined,
    source: { type: 'files', digest: hasher.digest() },
  };
}

async function readModuleFile(path: string, io: CompileIo): Promise<Uint8Array> {
  try {
    return await io.files.read(path);
  } catch (error) {
    throw new CompileError('SOURCE_UNREADABLE', `Cannot read the module ${path}`, {
      cause: error,
      hint: 'Check "source.files"; relative paths start at the spec.',
    });
  }
}
