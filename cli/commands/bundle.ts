import { Command, Option } from 'commander';
import { type Arch, parseArch } from '../../src/oci/arch.ts';
import type { CliContext } from '../context.ts';
import {
  addImageFlags,
  addLockFlags,
  addOutputFlag,
  addReleaseTrustFlags,
  graphOption,
  type ImageFlags,
  type OutputFlags,
  type ReleaseTrustFlags,
  repeatable,
  valueOf,
} from '../flags.ts';

/** Flags of `kmodlayer bundle create`. */
export interface BundleCreateFlags extends ImageFlags, OutputFlags, ReleaseTrustFlags {
  readonly out: string;
  readonly file?: string;
  readonly image?: readonly string[];
  readonly arch?: readonly Arch[];
  readonly stream?: readonly string[];
  readonly releaseRepository?: string;
  readonly graph?: string;
  readonly lockFile?: string;
  readonly lock?: boolean;
}

/** Flags of `kmodlayer bundle import`. */
export interface BundleImportFlags extends ImageFlags, OutputFlags {
  readonly to: string;
  readonly name: string;
  readonly manifests?: string;
}

/** `kmodlayer bundle`: what builds need, taken to a site without the internet in one file. */
export function bundleCommand(context: CliContext): Command {
  return new Command('bundle')
    .description('take releases and images to a site without the internet, in one file')
    .addCommand(createCommand(context))
    .addCommand(importCommand(context));
}

function createCommand(context: CliContext): Command {
  const command = new Command('create')
    .description(
      'write payload, OS image, driver-toolkit and extensions of releases into an archive, and images besides',
    )
    .argument('[release...]', 'releases as for "resolve"')
    .requiredOption('--out <file>', 'the archive to write')
    .option(
      '-f, --file <spec>',
      'the releases of this kmodlayer.yaml, as its lock file has them when there is one',
    )
    .addOption(repeatable('--image <image>', 'an image besides, such as "build" published; may be repeated'))
    .addOption(
      new Option(
        '--arch <arch>',
        'an architecture of the releases; may be repeated (default: x86_64)',
      ).argParser((text: string, before: readonly Arch[] | undefined) => [
        ...(before ?? []),
        valueOf(parseArch)(text),
      ]),
    )
    .addOption(repeatable('--stream <stream>', 'a stream such as rhel-9; may be repeated'))
    .option('--release-repository <repository>', 'where versions are looked up')
    .addOption(graphOption());
  return addImageFlags(addReleaseTrustFlags(addOutputFlag(addLockFlags(command))))
    .addHelpText(
      'after',
      `
Images of a list go along for all of its architectures: its digest covers each of them.

Examples:
  kmodlayer bundle create 4.18.4 4.18.5 --out bundle.tar
  kmodlayer bundle create -f kmodlayer.yaml --out bundle.tar --image quay.io/acme/nic-kmod:5.14.0-427.50.1.el9_4.x86_64`,
    )
    .action(async (releases: readonly string[], flags: BundleCreateFlags) => {
      const { runBundleCreate } = await import('../bundle-create.ts');
      await runBundleCreate(releases, flags, context);
    });
}

function importCommand(context: CliContext): Command {
  const command = new Command('import')
    .description(
      'push what is in an archive to a registry, and write the mirror sets that clusters and "--idms" take',
    )
    .argument('<archive>', 'the file that "bundle create" wrote')
    .requiredOption(
      '--to <place>',
      'a registry, or a namespace there; repositories keep their paths below it',
    )
    .option('--manifests <dir>', 'write the mirror sets and the signatures of releases to this directory')
    .option('--name <name>', 'name of the mirror sets', 'kmodlayer-bundle');
  return addImageFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
Each image gets a tag, as "oc adm release mirror" gives them: 4.18.4-x86_64, 4.18.4-x86_64-rhel-coreos.

Examples:
  kmodlayer bundle import bundle.tar --to registry.example.com:5000/mirror --manifests mirrors
  kmodlayer resolve 4.18.4 --idms mirrors/image-digest-mirror-set.yaml --itms mirrors/image-tag-mirror-set.yaml`,
    )
    .action(async (archive: string, flags: BundleImportFlags) => {
      const { runBundleImport } = await import('../bundle-import.ts');
      await runBundleImport(archive, flags, context);
    });
}
