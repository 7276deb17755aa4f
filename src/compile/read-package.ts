import { CompileError } from '../errors.ts';
import type { RpmSource } from '../spec/driver-set.ts';
import { collectModules } from './collected.ts';
import type { CompiledDriver, CompileIo, CompileRequest } from './compile.ts';
import { checkedFile, nameOf, placeOf } from './fetch-source.ts';
import { kernelOfPath, MODULE_FILE } from './module-paths.ts';

const FIRMWARE = /^(?:usr\/)?lib\/firmware\/(?<path>.+)$/;

/**
 * Takes the modules for one kernel, and firmware, out of a package. Scripts of the package are never run.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE` when there is no package for the kernel, `MODULE_MISSING`.
 */
export async function readPackage(
  request: CompileRequest,
  packages: readonly [RpmSource, ...RpmSource[]],
  io: CompileIo,
): Promise<CompiledDriver> {
  const { driver, kernel, set } = request;
  const { file } = choosePackage(request, packages);
  const name = nameOf(file);
  const path = await io.sources.fetchFile(checkedFile(file, set), io.signal);
  const { facts, files } = await io.sources.readRpm(
    { file: path, name },
    (entry) => MODULE_FILE.test(entry) || FIRMWARE.test(entry) || entry.endsWith('/Module.symvers'),
  );
  const modules = [...files.keys()].filter((entry) => MODULE_FILE.test(entry));
  const wanted = modules.filter((entry) => kernelOfPath(entry) === kernel);
  if (wanted.length === 0) throw otherKernels(request, name, modules);
  const kernels = new Set(modules.flatMap((entry) => kernelOfPath(entry) ?? []));
  const symvers = [...files].filter(
    ([entry]) => entry.endsWith('/Module.symvers') && !isForAnother(entry, kernel, kernels),
  );
  return {
    driver: driver.name,
    kernel,
    modules: await collectModules(request, {
      files: wanted,
      read: (entry) => Promise.resolve(files.get(entry) ?? new Uint8Array()),
      report: io.report,
      directory: '',
    }),
    symvers:
      symvers.length === 0
        ? undefined
        : symvers.map(([, bytes]) => Buffer.from(bytes).toString('utf8')).join(''),
    firmware: [...files].flatMap(([entry, bytes]) => {
      const below = FIRMWARE.exec(entry)?.groups?.['path'];
      return below === undefined ? [] : [{ path: below, bytes }];
    }),
    source: {
      type: 'rpm',
      package: `${facts.name}-${facts.version}-${facts.release}.${facts.arch}`,
      ...placeOf(file),
      digest: file.sha256,
    },
  };
}

/** A package may be for several kernels, and have files of each below a directory of its name. */
function isForAnother(path: string, kernel: string, kernels: ReadonlySet<string>): boolean {
  const named = path.split('/').filter((part) => kernels.has(part));
  return named.length > 0 && !named.includes(kernel);
}

function choosePackage(
  { driver, kernel }: CompileRequest,
  packages: readonly [RpmSource, ...RpmSource[]],
): RpmSource {
  const found =
    packages.find((one) => one.kernel === kernel) ?? packages.find((one) => one.kernel === undefined);
  if (found !== undefined) return found;
  const kernels = packages.map((one) => one.kernel ?? '').join(', ');
  throw new CompileError(
    'SOURCE_UNREADABLE',
    `Cannot find a package of ${driver.name} for ${kernel}: there are packages for ${kernels}`,
    { hint: 'Add the package for this kernel under "source.rpm", or leave out the releases that have it.' },
  );
}

function otherKernels(
  { driver, kernel }: CompileRequest,
  name: string,
  modules: readonly string[],
): CompileError {
  const kernels = [...new Set(modules.map((path) => kernelOfPath(path) ?? 'no kernel'))];
  const state = kernels.length === 0 ? 'it has no modules' : `its modules are for ${kernels.join(', ')}`;
  return new CompileError(
    'MODULE_MISSING',
    `Cannot take ${driver.name} for ${kernel} out of ${name}: ${state}`,
    {
      hint: 'Modules lie below lib/modules/<kernel release>/ in a package. Get the package for this kernel.',
    },
  );
}
