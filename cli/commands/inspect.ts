import { Command, Option } from 'commander';
import type { Io } from '../../src/io.ts';
import { parseArch, type Arch } from '../../src/oci/arch.ts';
import type { CliContext } from '../context.ts';
import { addImageFlags, addOutputFlag, valueOf, type ImageFlags, type OutputFlags } from '../flags.ts';
import type { InspectedImage } from '../report/image-text.ts';

interface InspectFlags extends ImageFlags, OutputFlags {
  readonly arch?: Arch;
}

/** `kmodlayer inspect <file.ko or image>`: shows what a module is, or what an image is and what our layer adds to it. */
export function inspectCommand(context: CliContext): Command {
  const command = new Command('inspect')
    .description('print modinfo, signature and symbols of a module, or what a layered image adds')
    .argument('<file-or-image>', 'a module file, or an image such as quay.io/a/b:tag or oci:DIR:TAG')
    .addOption(
      new Option('--arch <arch>', 'the architecture to choose in a multi-architecture image').argParser(
        valueOf(parseArch),
      ),
    );
  return addImageFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer inspect ./ice.ko.xz
  kmodlayer inspect quay.io/acme/rhcos-nic:4.18.4 -o json`,
    )
    .action(async (name: string, flags: InspectFlags) => {
      const { makeIo } = await import('../make-io.ts');
      const { printResult } = await import('../report/output.ts');
      const io = await makeIo(context, flags);

      if (isModuleFile(name)) {
        const { readInput } = await import('../io/read-input.ts');
        const { inspectModule } = await import('../../src/sign/inspect-module.ts');
        const { moduleData, moduleText } = await import('../report/module-text.ts');
        const inspection = await inspectModule(await readInput(io.files, name));
        await printResult(context, flags.output, {
          verb: 'inspect',
          data: { module: moduleData(name, inspection) },
          text: () => moduleText(name, inspection),
        });
        return;
      }

      const { imageData, imageText } = await import('../report/image-text.ts');
      const inspected = await inspectImage(name, flags.arch, io);
      await printResult(context, flags.output, {
        verb: 'inspect',
        data: { image: imageData(inspected) },
        text: () => imageText(inspected),
      });
    });
}

/** Paths begin with a dot or a slash, or end as modules do; all else is an image. */
function isModuleFile(name: string): boolean {
  if (/^(?:oci|oci-archive|docker):/.test(name)) return false;
  return /^\.{0,2}\//.test(name) || /\.ko(?:\.(?:gz|xz|zst))?$/.test(name) || !name.includes('/');
}

async function inspectImage(name: string, arch: Arch | undefined, io: Io): Promise<InspectedImage> {
  const { parseReference, pinned } = await import('../../src/oci/reference.ts');
  const { openImage } = await import('../../src/oci/open-image.ts');
  const { parseTag } = await import('../../src/oci/tag.ts');
  const { KMODLAYER_LABEL } = await import('../report/image-text.ts');

  const reference = parseReference(name);
  const repository = await io.images.open(reference, 'read');
  const image = await openImage(repository, reference.digest ?? reference.tag ?? parseTag('latest'), arch);
  const isOurs = Object.keys(image.config.labels).some((label) => label.startsWith(KMODLAYER_LABEL));
  return {
    reference: pinned(reference, image.manifest.digest),
    image,
    added: isOurs ? await readAddedLayer(image, io) : undefined,
  };
}

/** Our layer is the last one, and small; those of the base are never read. */
async function readAddedLayer(
  image: InspectedImage['image'],
  { signal }: Io,
): Promise<InspectedImage['added']> {
  const { walkLayer } = await import('../../src/oci/layer-reader.ts');
  const { unpackLimit } = await import('../../src/oci/layer-files.ts');
  const { inspectModule } = await import('../../src/sign/inspect-module.ts');

  const layer = image.manifest.layers.at(-1);
  if (layer === undefined) return undefined;
  const files: { readonly path: string; readonly sizeBytes: number }[] = [];
  const found: { readonly path: string; readonly bytes: Buffer }[] = [];
  await walkLayer(image.repository.readBlob(layer, { signal }), {
    maxBytes: unpackLimit(layer.sizeBytes),
    wants: ({ path }) => /\.ko(?:\.(?:gz|xz|zst))?$/.test(path),
    onEntry: ({ path, type, sizeBytes }) => {
      if (type === 'file') files.push({ path, sizeBytes });
    },
    onContent: ({ path }, bytes) => found.push({ path, bytes }),
  });
  const modules = await Promise.all(
    found.map(async ({ path, bytes }) => ({ path, inspection: await inspectModule(bytes) })),
  );
  return { files, modules };
}
