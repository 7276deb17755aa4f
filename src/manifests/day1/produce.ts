import { SpecError } from '../../errors.ts';
import { refusalOf } from '../arguments.ts';
import { makeMachineConfig, type MachineConfig } from '../machine-config.ts';
import { toYaml } from '../yaml.ts';
import { LOADERS } from './loaders.ts';
import type { Day1ModuleOptions, Day1Options } from './options.ts';
import { parseDay1Options } from './parse-options.ts';

/**
 * The MachineConfig whose units pull kmod images and load their modules on the nodes of a pool.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makeDay1MachineConfig(options: Day1Options): MachineConfig {
  const request = parseDay1Options(options);
  const parts = LOADERS[request.loader](request);
  return makeMachineConfig({ name: request.name, pool: request.pool, ...parts });
}

/** `makeDay1MachineConfig` as YAML. */
export function produceMachineConfig(options: Day1Options): string {
  return toYaml([makeDay1MachineConfig(options)]);
}

/** What options are called as arguments of `ProduceMachineConfig`. */
const ARGUMENT_NAMES: Readonly<Record<string, string>> = {
  name: 'machineConfigName',
  pool: 'machineConfigPoolRef',
  image: 'kernelModuleImage',
  module: 'kernelModuleName',
  firmware: 'firmwareFilesPath',
  workerImage: 'workerImage',
  replaces: 'inTreeModulesToRemove',
};

/**
 * `produceMachineConfig` with the arguments of Kernel Module Management's function of this name, or with the first four
 * of them, as the documentation of OKD has it. The result has the structure of KMM's: whoever reads that can read this.
 *
 * @param kernelModuleImage A repository, to which nodes add the tag of their kernel; or an image by tag or digest.
 * @param firmwareFilesPath Directory of the image; none when empty.
 * @param workerImage Image of the KMM worker; that which KMM names when empty.
 * @param inTreeModulesToRemove When absent, the in-tree module that is called `kernelModuleName`, as the documentation of
 *   the four arguments says; `[]` for none.
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function ProduceMachineConfig(
  machineConfigName: string,
  machineConfigPoolRef: string,
  kernelModuleImage: string,
  kernelModuleName: string,
  firmwareFilesPath = '',
  workerImage = '',
  inTreeModulesToRemove?: readonly string[],
): string {
  const options: Day1ModuleOptions = {
    loader: 'kmm',
    name: machineConfigName,
    pool: machineConfigPoolRef,
    image: kernelModuleImage,
    module: kernelModuleName,
    ...(firmwareFilesPath === '' ? {} : { firmware: firmwareFilesPath }),
    ...(workerImage === '' ? {} : { workerImage }),
    replaces: inTreeModulesToRemove ?? [kernelModuleName],
  };
  try {
    return produceMachineConfig(options);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    const problems = error.problems
      .filter(({ path }) => inTreeModulesToRemove !== undefined || !path.startsWith('replaces'))
      .map((problem) => ({ ...problem, ...renamed(problem) }));
    const isWhole = problems.length === error.problems.length;
    const message = isWhole ? error.message : refusalOf('this MachineConfig', problems.length);
    throw new SpecError('VALUE_INVALID', message, { cause: error, hint: error.hint, problems });
  }
}

/** The path and the message of a problem with the name of the argument in place of that of the option. */
function renamed({ path, message }: { path: string; message: string }): { path: string; message: string } {
  const [option = ''] = /^[a-zA-Z]*/.exec(path) ?? [];
  const argument = ARGUMENT_NAMES[option] ?? option;
  return {
    path: argument + path.slice(option.length),
    message: message.startsWith(`"${option}`) ? `"${argument}${message.slice(option.length + 1)}` : message,
  };
}
