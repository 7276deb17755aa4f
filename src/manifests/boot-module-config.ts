import { SpecError } from '../errors.ts';
import { formatReference } from '../oci/reference.ts';
import { parseObjectName } from '../spec/object-name.ts';
import { makeArgumentReader, required } from './arguments.ts';
import type { Day1ModuleOptions } from './day1/options.ts';
import { parseDay1Options } from './day1/parse-options.ts';

export interface BootModuleConfigOptions extends Pick<
  Day1ModuleOptions,
  'name' | 'pool' | 'module' | 'replaces' | 'firmware' | 'workerImage'
> {
  /** Namespace of the BootModuleConfig, which has the name of the MachineConfig that KMM makes of it. */
  readonly namespace: string;
  /** A repository: KMM adds the kernel release as tag, whatever stands here. */
  readonly image: string;
}

/** What has the operator of KMM write a MachineConfig of Day 1. */
export interface BootModuleConfig {
  readonly apiVersion: 'kmm.sigs.x-k8s.io/v1beta1';
  readonly kind: 'BootModuleConfig';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly machineConfigName: string;
    readonly machineConfigPoolName: string;
    readonly kernelModuleImage: string;
    readonly kernelModuleName: string;
    readonly inTreeModulesToRemove?: readonly string[];
    readonly firmwareFilesPath?: string;
    readonly workerImage?: string;
  };
}

const KEYS = ['name', 'namespace', 'pool', 'image', 'module', 'replaces', 'firmware', 'workerImage'];

const SPEC_KEYS = [
  ...['machineConfigName', 'machineConfigPoolName', 'kernelModuleImage', 'kernelModuleName'],
  ...['inTreeModulesToRemove', 'firmwareFilesPath', 'workerImage'],
];

/**
 * The BootModuleConfig for a module, for those who have KMM write their MachineConfig. KMM checks nothing of it.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makeBootModuleConfig(options: BootModuleConfigOptions): BootModuleConfig {
  const read = makeArgumentReader('this BootModuleConfig');
  const given = read.object('', options, KEYS);
  const namespace = read.text('namespace', given['namespace'], parseObjectName);
  const known = Object.fromEntries(
    Object.entries(given).filter(([key]) => key !== 'namespace' && KEYS.includes(key)),
  );
  const request = read.nested('', known, () =>
    parseDay1Options({ ...known, loader: 'kmm' } as unknown as Day1ModuleOptions),
  );
  const [driver] = request?.drivers ?? [];
  if (driver !== undefined && driver.image.type !== 'tag-by-kernel') {
    read.report(
      'image',
      'KMM adds a tag to the image, which has one already, or a digest',
      'Name a repository.',
    );
  }
  read.finish();
  const { name, pool, workerImage, drivers } = required(request);
  const { image, firmware, modules } = required(drivers[0]);
  const { replaces } = required(modules[0]);
  if (image.type !== 'tag-by-kernel') throw new TypeError('An image was not refused');
  return {
    apiVersion: 'kmm.sigs.x-k8s.io/v1beta1',
    kind: 'BootModuleConfig',
    metadata: { name, namespace: required(namespace) },
    spec: {
      machineConfigName: name,
      machineConfigPoolName: pool,
      kernelModuleImage: formatReference(image.repository),
      // As it was spelt: KMM looks for modules by the names of files.
      kernelModuleName: options.module,
      ...(replaces.length === 0 ? {} : { inTreeModulesToRemove: [...new Set(options.replaces)] }),
      ...(firmware === undefined ? {} : { firmwareFilesPath: firmware }),
      ...(workerImage === undefined ? {} : { workerImage: formatReference(workerImage) }),
    },
  };
}

/**
 * The options of `produceMachineConfig` that say what a BootModuleConfig says. They name no loader: with `loader: 'kmm'` the
 * MachineConfig has the structure of the one that KMM would write, without it nodes need no worker image.
 *
 * @param value An object, as it is parsed from YAML.
 * @throws {SpecError} `VALUE_INVALID` with everything that cannot be used; paths are those of the BootModuleConfig.
 */
export function day1OptionsOfBootModuleConfig(value: unknown): Day1ModuleOptions {
  const read = makeArgumentReader('a MachineConfig of this BootModuleConfig');
  const given = read.object('', value, ['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  read.choice('apiVersion', given['apiVersion'], ['kmm.sigs.x-k8s.io/v1beta1']);
  read.choice('kind', given['kind'], ['BootModuleConfig']);
  const spec = read.object('spec', given['spec'], SPEC_KEYS);
  const text = (key: string): string | undefined => read.text(`spec.${key}`, spec[key], (one) => one);
  // KMM takes an empty text for none.
  const optional = (key: string): string | undefined =>
    spec[key] === undefined || spec[key] === '' ? undefined : text(key);
  const name = text('machineConfigName');
  const pool = text('machineConfigPoolName');
  const image = text('kernelModuleImage');
  const module = text('kernelModuleName');
  const firmware = optional('firmwareFilesPath');
  const workerImage = optional('workerImage');
  const removed = spec['inTreeModulesToRemove'];
  const replaces =
    removed === undefined
      ? []
      : read.list('spec.inTreeModulesToRemove', removed, (at, item) => read.text(at, item, (one) => one));
  read.finish();
  const options = {
    name: required(name),
    pool: required(pool),
    image: required(image),
    module: required(module),
    replaces: replaces.filter((one) => one !== ''),
    ...(firmware === undefined ? {} : { firmware }),
    ...(workerImage === undefined ? {} : { workerImage }),
  };
  requireUsable(options);
  return options;
}

/** What KMM calls the options of a MachineConfig. */
const NAMES: Readonly<Record<string, string>> = {
  name: 'machineConfigName',
  pool: 'machineConfigPoolName',
  image: 'kernelModuleImage',
  module: 'kernelModuleName',
  replaces: 'inTreeModulesToRemove',
  firmware: 'firmwareFilesPath',
};

function requireUsable(options: Day1ModuleOptions): void {
  try {
    parseDay1Options(options);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    const problems = error.problems.map((problem) => ({
      ...problem,
      path: problem.path.replace(/^[A-Za-z]+/, (option) => `spec.${NAMES[option] ?? option}`),
    }));
    throw new SpecError('VALUE_INVALID', error.message, { cause: error, hint: error.hint, problems });
  }
}
