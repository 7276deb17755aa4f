import { Command } from 'commander';
import type { Arch } from '../../src/oci/arch.ts';
import type { CliContext } from '../context.ts';
import {
  addArchFlag,
  addBoundaryFlags,
  addImageFlags,
  addOutputFlag,
  type ImageFlags,
  type OutputFlags,
} from '../flags.ts';

/** Flags of `kmodlayer inspect`. */
export interface InspectFlags extends ImageFlags, OutputFlags {
  readonly arch?: Arch;
  readonly base?: string;
  readonly layers?: number;
  readonly readBase?: boolean;
}

/** `kmodlayer inspect <file.ko or image>`: shows what a module is, or what the layers of an image do to its base. */
export function inspectCommand(context: CliContext): Command {
  const command = new Command('inspect')
    .description('print modinfo, signature and symbols of a module, or what an image changes in its base')
    .argument('<file-or-image>', 'a module file, or an image such as quay.io/a/b:tag or oci:DIR:TAG');
  addBoundaryFlags(
    addArchFlag(command),
    'the OS image that the image was built on, when the image does not say it',
  ).option(
    '--read-base',
    'read every layer of the base, once, where nothing else tells what a file replaces',
  );
  return addImageFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer inspect ./ice.ko.xz
  kmodlayer inspect quay.io/acme/rhcos-nic:4.18.4
  kmodlayer inspect quay.io/acme/hotfix:1 --base quay.io/acme/rhcos:4.18.4 -o json

In the tree of an image + is added, ~ replaced, - removed, and ? added or replaced.`,
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

      const { inspectImage } = await import('../inspect-image.ts');
      const { imageData, imageText } = await import('../report/image-text.ts');
      const inspected = await inspectImage(name, flags, io);
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
