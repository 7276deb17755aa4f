import { Command, Option } from 'commander';
import type { CliContext } from '../../context.ts';
import { repeatable } from '../../flags.ts';
import { addManifestOutput, type ManifestFlags } from './output-flag.ts';

/** Flags of `kmodlayer machine-config mirror-set`. */
export interface MirrorSetFlags extends ManifestFlags {
  readonly file?: string;
  readonly name?: string;
  readonly pulls?: 'tag' | 'digest';
  readonly mirror?: readonly string[];
  readonly to?: string;
  readonly neverContactSource?: boolean;
}

/** `kmodlayer machine-config mirror-set`: where nodes find images besides. */
export function mirrorSetCommand(context: CliContext): Command {
  const command = new Command('mirror-set')
    .description(
      'an ImageTagMirrorSet or ImageDigestMirrorSet: mirrors for images that are named by tag or by digest',
    )
    .option('--name <name>', 'name of the set')
    .addOption(
      new Option('--pulls <how>', 'how the images are named: by tag or by digest').choices(['tag', 'digest']),
    )
    .addOption(
      repeatable(
        '--mirror <source=mirror>',
        'a registry or repository, and where its images are besides; may be repeated, in the order of trying',
      ),
    )
    .option('--never-contact-source', 'do not pull from a source when its mirrors have no image')
    .option('-f, --file <spec>', 'the repositories of this kmodlayer.yaml, which --to has mirrors of')
    .option('--to <place>', 'registry or namespace that has the mirrors, with --file');
  return addManifestOutput(command)
    .addHelpText(
      'after',
      `
A kmod image with a tag for each kernel is pulled by tag; an OS image always by digest.

Examples:
  kmodlayer machine-config mirror-set --name acme --pulls tag \\
    --mirror quay.io/acme=registry.example.com:5000/acme | oc apply -f -
  kmodlayer machine-config mirror-set -f kmodlayer.yaml --to registry.example.com:5000/mirror`,
    )
    .action(async (flags: MirrorSetFlags) => {
      const { printMirrorSets } = await import('../../machine-config/mirror-set.ts');
      await printMirrorSets(flags, context);
    });
}
