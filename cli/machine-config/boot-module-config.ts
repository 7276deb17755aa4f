import {
  type BootModuleConfigOptions,
  makeBootModuleConfig,
} from '../../src/manifests/boot-module-config.ts';
import type { BootModuleConfigFlags } from '../commands/machine-config/boot-module-config.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, printManifests } from './manifests.ts';

/** Prints the BootModuleConfig that flags ask for. */
export function printBootModuleConfig(flags: BootModuleConfigFlags, context: CliContext): void {
  const { name, namespace, pool, image, module, removeInTree, firmware, workerImage } = flags;
  const options = { name, namespace, pool, image, module, replaces: removeInTree, firmware, workerImage };
  const object = fromFlags({ replaces: '--remove-in-tree' }, () =>
    makeBootModuleConfig(defined(options) as unknown as BootModuleConfigOptions),
  );
  printManifests([object], flags, context);
}
