import { SpecError } from '../src/errors.ts';
import { day1OptionsOfBootModuleConfig } from '../src/manifests/boot-module-config.ts';
import { day1OptionsOf } from '../src/manifests/day1/from-set.ts';
import type { Day1Options } from '../src/manifests/day1/options.ts';
import { makeDay1MachineConfig } from '../src/manifests/day1/produce.ts';
import { makeVerifyScript } from '../src/manifests/day1/verify-script.ts';
import type { Day1Flags } from './commands/machine-config-day1.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import {
  defined,
  flagOf,
  fromFlags,
  imageOf,
  objectsOf,
  onceEach,
  printManifests,
} from './machine-config/manifests.ts';

/** Prints the MachineConfigs that flags or a spec ask for. */
export async function printDay1(flags: Day1Flags, context: CliContext): Promise<void> {
  const objects =
    flags.file === undefined
      ? [makeForFlags(makeDay1MachineConfig, flags)]
      : (await optionsOfSpec(flags, flags.file, context)).map(makeDay1MachineConfig);
  printManifests(objects, flags, context);
}

/** Prints the script for the nodes of the MachineConfig that flags or a spec ask for. */
export async function printVerifyScript(flags: PartsOfDay1Flags, context: CliContext): Promise<void> {
  if (flags.file === undefined) {
    context.stdout.write(makeForFlags(makeVerifyScript, flags));
    return;
  }
  const [options, ...others] = await optionsOfSpec(flags, flags.file, context);
  if (options === undefined || others.length > 0) {
    throw new SpecError('USAGE', `Cannot make one script for ${others.length + 1} pools`, {
      hint: 'Name one pool in "rollout", or give flags in place of --file.',
    });
  }
  context.stdout.write(makeVerifyScript(options));
}

/** Flags without the one that says how to print. */
type PartsOfDay1Flags = Omit<Day1Flags, 'output'>;

/** Flags by the options that they give; the others have the name of their option in kebab case. */
const FLAG_NAMES: Readonly<Record<string, string>> = {
  replaces: '--remove-in-tree',
  parameters: '--parameter',
  drivers: '--module',
  pullTimeoutSeconds: '--pull-timeout',
  loadTimeoutSeconds: '--load-timeout',
  authFile: '--node-authfile',
};

function makeForFlags<Made>(make: (options: Day1Options) => Made, flags: PartsOfDay1Flags): Made {
  return fromFlags(FLAG_NAMES, () => make(optionsOf(flags)), optionOf);
}

/** `parameters` for `drivers[0].modules[0].parameters["debug"]`; `drivers` where a module itself is meant. */
function optionOf(path: string): string {
  const option = path.replace(/^drivers\[0\]\.(?:modules\[\d+\]\.)?(?=[a-z])/, '');
  return path.startsWith('drivers[0].modules') && option.startsWith('name') ? 'drivers' : option;
}

/** Flags give texts; what is missing or wrong in them is told by the one who reads options. */
function optionsOf(flags: PartsOfDay1Flags): Day1Options {
  const { module: names = [], image: images = [], removeInTree, parameter: parameters = [] } = flags;
  const parametersFor = parametersOf(names, parameters);
  const entries = names.map((name, index) => ({
    name,
    parameters: parametersFor(name),
    ...(index === 0 && removeInTree !== undefined ? { replaces: removeInTree } : {}),
  }));
  const common = { name: flags.name, pool: flags.pool, ...sharedOptions(flags) };
  const image = {
    image: imageOf(images),
    ...defined({ firmware: flags.firmware, directory: flags.directory }),
  };
  const [only] = entries;
  const options =
    entries.length > 1
      ? { ...common, drivers: [{ name: flags.name, ...image, modules: entries }] }
      : { ...common, ...image, ...only, name: flags.name, module: only?.name };
  return options as Day1Options;
}

/** Parameters by module, `_` for `-` in its name: of several modules, each says whose it is. */
function parametersOf(
  modules: readonly string[],
  texts: readonly string[],
): (module: string) => Readonly<Record<string, string>> {
  const names = modules.map(plain);
  const entries = texts.map((text) => {
    const at = text.indexOf('=');
    const [owner, name] = splitName(text.slice(0, Math.max(at, 0)));
    const module = owner === undefined ? (names.length > 1 ? undefined : names[0]) : plain(owner);
    if (at < 0 || (names.length > 0 && (module === undefined || !names.includes(module)))) {
      const why = at < 0 || owner === undefined ? '' : `: there is no --module ${JSON.stringify(owner)}`;
      throw new SpecError('USAGE', `Cannot use --parameter ${JSON.stringify(text.slice(0, 200))}${why}`, {
        hint: 'Write NAME=VALUE, or with several modules MODULE.NAME=VALUE.',
      });
    }
    return { module, pair: [name, text.slice(at + 1)] as const };
  });
  return (module) =>
    onceEach(
      '--parameter',
      entries.filter((entry) => entry.module === plain(module)).map(({ pair }) => pair),
    );
}

/** A module has one name, however it is spelt. */
function plain(module: string): string {
  return module.replaceAll('-', '_');
}

function splitName(text: string): readonly [string | undefined, string] {
  const dot = text.indexOf('.');
  return dot < 0 ? [undefined, text] : [text.slice(0, dot), text.slice(dot + 1)];
}

async function optionsOfSpec(
  flags: PartsOfDay1Flags,
  file: string,
  context: CliContext,
): Promise<readonly Day1Options[]> {
  for (const flag of ['name', 'pool', 'image', 'module', 'removeInTree', 'parameter', 'firmware'] as const) {
    if (flags[flag] !== undefined) {
      throw new SpecError('USAGE', `Cannot use ${flagOf(flag, {})} with --file: the spec says it`, {
        hint: 'Change the spec, or leave --file out.',
      });
    }
  }
  const text = Buffer.from(await readInput(makeFiles(context.cwd), file)).toString('utf8');
  const options = /^kind:\s*["']?BootModuleConfig\b/m.test(text)
    ? objectsOf(file, text).map((value) => day1OptionsOfBootModuleConfig(value))
    : day1OptionsOf((await import('../src/spec/spec.ts')).parseSpec(text, file));
  return options.map((one) => ({ ...one, ...sharedOptions(flags) }));
}

/** Options that are the same whether modules come from flags or from a spec. */
function sharedOptions(flags: PartsOfDay1Flags): Readonly<Record<string, unknown>> {
  const { loader, activation, workerImage, firmwareDirectory, remove } = flags;
  if (workerImage !== undefined && loader !== 'kmm') {
    throw new SpecError('USAGE', `Cannot use --worker-image with the loader "${loader ?? 'host'}"`, {
      hint: 'Leave it out, or give --loader kmm.',
    });
  }
  return defined({
    ...{ loader, activation, workerImage, firmwareDirectory, remove },
    proxy: flags.proxy ? undefined : false,
    authFile: flags.nodeAuthfile,
    pullTimeoutSeconds: secondsOf(flags.pullTimeout),
    loadTimeoutSeconds: secondsOf(flags.loadTimeout),
  });
}

function secondsOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : /^\d{1,9}$/.test(text) ? Number(text) : NaN;
}
