import { Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { day1Command, verifyScriptCommand } from './machine-config-day1.ts';
import { bootModuleConfigCommand } from './machine-config/boot-module-config.ts';
import { butaneCommand } from './machine-config/butane.ts';
import { disruptionPolicyCommand } from './machine-config/disruption-policy.ts';
import { firmwareCommand } from './machine-config/firmware.ts';
import { imageSetCommand } from './machine-config/image-set.ts';
import { mirrorSetCommand } from './machine-config/mirror-set.ts';
import { moduleCommand } from './machine-config/module.ts';
import { pinnedImagesCommand } from './machine-config/pinned-images.ts';
import { poolCommand } from './machine-config/pool.ts';

interface OsImageFlags {
  readonly name: string;
  readonly pool: string;
  readonly image: string;
  readonly output: 'yaml' | 'json';
}

/** `kmodlayer machine-config <kind>`: prints manifests of one kind, from flags alone or from a spec. */
export function machineConfigCommand(context: CliContext): Command {
  return new Command('machine-config')
    .description('print manifests: MachineConfigs, pools and what goes with them')
    .addCommand(osImageCommand(context))
    .addCommand(day1Command(context))
    .addCommand(verifyScriptCommand(context))
    .addCommand(poolCommand(context))
    .addCommand(firmwareCommand(context))
    .addCommand(disruptionPolicyCommand(context))
    .addCommand(pinnedImagesCommand(context))
    .addCommand(mirrorSetCommand(context))
    .addCommand(imageSetCommand(context))
    .addCommand(moduleCommand(context))
    .addCommand(bootModuleConfigCommand(context))
    .addCommand(butaneCommand(context));
}

function osImageCommand(context: CliContext): Command {
  return new Command('os-image')
    .description('a MachineConfig that makes the nodes of a pool boot an image')
    .requiredOption('--name <name>', 'name of the MachineConfig')
    .requiredOption('--pool <pool>', 'MachineConfigPool whose nodes get the image')
    .requiredOption('--image <image>', 'the image, by digest')
    .addOption(
      new Option('-o, --output <format>', 'how to print it').choices(['yaml', 'json']).default('yaml'),
    )
    .addHelpText(
      'after',
      `
Example:
  kmodlayer machine-config os-image --name 99-worker-nic --pool worker \\
    --image quay.io/acme/rhcos-nic@sha256:4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d | oc apply -f -`,
    )
    .action(async ({ name, pool, image, output }: OsImageFlags) => {
      const { parseReference } = await import('../../src/oci/reference.ts');
      const { makeOsImageMachineConfig } = await import('../../src/manifests/os-image.ts');
      const { toYaml } = await import('../../src/manifests/yaml.ts');

      const object = makeOsImageMachineConfig({ name, pool, image: parseReference(image) });

      context.stdout.write(output === 'json' ? `${JSON.stringify(object, null, 2)}\n` : toYaml([object]));
    });
}
