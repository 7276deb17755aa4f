import { CompileError } from '../errors.ts';
import { readLayerFiles, unpackLimit } from '../oci/layer-files.ts';
import { openImage, type OpenedImage } from '../oci/open-image.ts';
import { formatReference, pinned } from '../oci/reference.ts';
import { parseTag } from '../oci/tag.ts';
import { referenceFrom } from '../spec/paths.ts';
import { imageOf } from '../spec/values.ts';
import { collectModules } from './collected.ts';
import type { CompiledDriver, CompileIo, CompileRequest } from './compile.ts';
import { kernelOfPath, MODULE_FILE } from './module-paths.ts';

/**
 * Takes the modules for one kernel out of an image, below whatever prefix they lie. Its layers are read, and it is
 * neither pulled nor run.
 *
 * @throws {CompileError} `MODULE_MISSING`.
 * @throws {RegistryError}, {OciError} when the image cannot be read.
 */
export async function readImage(
  request: CompileRequest,
  pattern: string,
  io: CompileIo,
): Promise<CompiledDriver> {
  const { arch, driver, imageDigest, kernel, set } = request;
  const reference = referenceFrom(set.file, imageOf(pattern, kernel, arch));
  const repository = await io.images.open(reference, 'read');
  const name = imageDigest ?? reference.digest ?? parseTag(reference.tag ?? 'latest');
  const image = await openImage(repository, name, arch, io.cache);
  const files = await readModules(image, io);
  const paths = [...files.keys()].filter((path) => (kernelOfPath(path) ?? kernel) === kernel);
  const shown = formatReference(pinned(reference, image.manifest.digest));
  if (paths.length === 0) {
    const kernels = [...new Set([...files.keys()].map((path) => kernelOfPath(path) ?? ''))].join(', ');
    throw new CompileError(
      'MODULE_MISSING',
      `Cannot take ${driver.name} for ${kernel} out of ${shown}: ${kernels === '' ? 'it has no modules' : `its modules are for ${kernels}`}`,
      {
        hint: 'Write "{kernel}" where the tag has the kernel release, and check that the vendor has this kernel.',
      },
    );
  }
  return {
    driver: driver.name,
    kernel,
    modules: await collectModules(request, {
      files: paths,
      read: (path) => Promise.resolve(files.get(path) ?? new Uint8Array()),
      report: io.report,
      directory: '',
    }),
    symvers: undefined,
    source: { type: 'image', image: shown, digest: image.manifest.digest },
  };
}

/** Modules of an image, by path: the last layer that has one counts, and what a layer removes is gone. */
async function readModules(
  { manifest, repository }: OpenedImage,
  { signal }: Pick<CompileIo, 'signal'>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const layer of manifest.layers) {
    const { files, whiteouts, opaque } = await readLayerFiles(() => repository.readBlob(layer, { signal }), {
      maxBytes: unpackLimit(layer.sizeBytes),
      maxFilesBytes: MAX_MODULES_BYTES,
      wants: (path) => MODULE_FILE.test(path),
      onDeadLink: () => undefined,
    });
    for (const path of found.keys()) {
      const isRemoved = whiteouts.some((gone) => path === gone || path.startsWith(`${gone}/`));
      const isHidden = opaque.some((above) => above === '' || path.startsWith(`${above}/`));
      if (isRemoved || isHidden) found.delete(path);
    }
    for (const [path, bytes] of files) found.set(path, bytes);
  }
  return found;
}

/** All modules of one image; vendors with many kernels in one image have some hundred megabytes. */
const MAX_MODULES_BYTES = 1024 ** 3;
