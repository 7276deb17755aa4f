import { SpecError } from '../../src/errors.ts';
import {
  type KmmModule,
  type KmmModuleOptions,
  kmmVersionLabel,
  makeKmmModule,
} from '../../src/manifests/kmm-module.ts';
import { kmmModuleOptionsOf } from '../../src/manifests/modules-from-set.ts';
import type { ModuleFlags } from '../commands/machine-config/module.ts';
import type { CliContext } from '../context.ts';
import { defined, fromFlags, imageOf, pairsOf, printManifests, readSpec } from './manifests.ts';

/** Flags by option. */
const FLAG_NAMES = { parameters: '--parameter', replaces: '--remove-in-tree', version: '--module-version' };

/** Prints the Modules that flags or a spec ask for, and on stderr the labels that nodes need for a version. */
export async function printModules(flags: ModuleFlags, context: CliContext): Promise<void> {
  const options =
    flags.file === undefined ? [optionsOf(flags)] : await optionsOfSpec(flags, flags.file, context);
  const { moduleVersion: version, imagePullSecret } = flags;
  const modules = options.map((one) =>
    fromFlags(FLAG_NAMES, () => makeKmmModule({ ...one, ...defined({ version, imagePullSecret }) })),
  );
  printManifests(modules, flags, context);
  if (version === undefined) return;
  for (const module of modules) writeLabel(module, version, context);
}

function writeLabel({ metadata, spec }: KmmModule, version: string, { stderr }: CliContext): void {
  const selector = Object.entries(spec.selector).map(([key, value]) => `${key}=${value}`);
  stderr.write(
    `Nodes load it with: oc label node -l ${selector.join(',')} ${kmmVersionLabel(metadata)}=${version}\n`,
  );
}

/** Flags give texts; what is missing or wrong in them is told by the one who reads options. */
function optionsOf(flags: ModuleFlags): KmmModuleOptions {
  const { name, namespace, module, kernels, loadFirst, firmware, directory } = flags;
  return defined({
    ...{ name, namespace, module, kernels, loadFirst, firmware, directory },
    nodeSelector: pairsOf('--node-selector', flags.nodeSelector),
    image: imageOf(flags.image),
    parameters: pairsOf('--parameter', flags.parameter),
    replaces: flags.removeInTree,
  }) as unknown as KmmModuleOptions;
}

async function optionsOfSpec(
  flags: ModuleFlags,
  file: string,
  context: CliContext,
): Promise<readonly KmmModuleOptions[]> {
  const { name, nodeSelector, module, image, kernels, parameter, loadFirst, removeInTree } = flags;
  const { firmware, directory, namespace } = flags;
  const others = { name, nodeSelector, module, image, kernels, parameter, loadFirst, removeInTree };
  const set = await readSpec(file, { ...others, firmware, directory }, context);
  if (namespace !== undefined) return kmmModuleOptionsOf(set, namespace);
  throw new SpecError('USAGE', 'Cannot make Modules without a namespace', { hint: 'Give --namespace.' });
}
