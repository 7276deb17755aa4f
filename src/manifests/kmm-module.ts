import { SpecError } from '../errors.ts';
import { formatReference } from '../oci/reference.ts';
import { parseKernelRelease } from '../spec/kernel-release.ts';
import { parseObjectName } from '../spec/object-name.ts';
import { PARAMETER_NAME, PARAMETER_VALUE } from '../spec/values.ts';
import { type ArgumentReader, makeArgumentReader, matching, required } from './arguments.ts';
import { parseAbsolutePath } from './ignition-file.ts';
import { parseKernelPattern } from './kernel-pattern.ts';
import { type Labels, parseLabelValue, parseSubdomain, readLabels } from './labels.ts';
import { parsePinnedImage, parseRegistryImage } from './registry-image.ts';

export interface KmmModuleOptions {
  /** Name of the Module; with its namespace at most 41 characters. */
  readonly name: string;
  readonly namespace: string;
  /** Labels of the nodes that load it, for instance `{ 'node-role.kubernetes.io/worker': '' }`. */
  readonly nodeSelector: Labels;
  /** Name of the module as its file has it. */
  readonly module: string;
  /**
   * The kmod image, one of:
   *
   * - a repository, to which KMM adds the tag that is the kernel release, with `_` for `+`;
   * - an image by digest or by tag, which holds the modules of every kernel of the nodes;
   * - images by digest for each kernel release: `{ '5.14.0-427.50.1.el9_4.x86_64': 'quay.io/acme/ice@sha256:...' }`.
   */
  readonly image: string | Readonly<Record<string, string>>;
  /** Kernels that `image` is for, when it is one text: a regular expression of Go's; `^.+$` when absent. */
  readonly kernels?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Modules to load before `module`, in the order of loading. */
  readonly loadFirst?: readonly string[];
  /**
   * Modules to unload first, spelt as their files are: KMM looks for them by the names of files. What Day 1 loaded stands
   * here, too, when KMM is to take it over.
   */
  readonly replaces?: readonly string[];
  /**
   * Loads it only on nodes whose label `kmmVersionLabel` has this value, so that versions change node by node. It can
   * neither be added to a Module nor taken from it later.
   */
  readonly version?: string;
  /** Directory of the image whose files are firmware. */
  readonly firmware?: string;
  /** Directory of the image that holds `lib/modules`; `/opt` when absent. */
  readonly directory?: string;
  /** Secret of the namespace with credentials for the image. */
  readonly imagePullSecret?: string;
}

/** A Module of Kernel Module Management. */
export interface KmmModule {
  readonly apiVersion: 'kmm.sigs.x-k8s.io/v1beta1';
  readonly kind: 'Module';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly moduleLoader: {
      readonly container: {
        readonly modprobe: {
          readonly moduleName: string;
          readonly dirName: string;
          readonly parameters?: readonly string[];
          readonly firmwarePath?: string;
          readonly modulesLoadingOrder?: readonly string[];
        };
        readonly kernelMappings: readonly KernelMapping[];
        readonly inTreeModulesToRemove?: readonly string[];
        readonly version?: string;
      };
    };
    readonly imageRepoSecret?: { readonly name: string };
    readonly selector: Labels;
  };
}

type KernelMapping =
  | { readonly literal: string; readonly containerImage: string }
  | { readonly regexp: string; readonly containerImage: string };

const KEYS = [
  ...['name', 'namespace', 'nodeSelector', 'module', 'image', 'kernels', 'parameters', 'loadFirst'],
  ...['replaces', 'version', 'firmware', 'directory', 'imagePullSecret'],
];

/** KMM's webhook refuses longer ones, whether or not there is a version. */
const MAX_NAMES = 41;

/** The label that says which version of a Module a node is to have. */
export function kmmVersionLabel({ name, namespace }: Pick<KmmModuleOptions, 'name' | 'namespace'>): string {
  return `kmm.node.kubernetes.io/version-module.${namespace}.${name}`;
}

/**
 * A Module that has KMM load a kmod image on Day 2, or take over what Day 1 loaded.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used, those that KMM's webhook would refuse
 *   included; the path of a problem is its name.
 */
export function makeKmmModule(options: KmmModuleOptions): KmmModule {
  const read = makeArgumentReader('this Module');
  const given = read.object('', options, KEYS);
  const optionalText = <Value>(key: string, parse: (text: string) => Value): Value | undefined =>
    given[key] === undefined ? undefined : read.text(key, given[key], parse);
  const names = (key: string): readonly string[] =>
    given[key] === undefined
      ? []
      : [...new Set(read.list(key, given[key], (at, item) => read.text(at, item, parseSpelling)))];

  const name = read.text('name', given['name'], parseObjectName);
  const namespace = read.text('namespace', given['namespace'], parseObjectName);
  const selector = readLabels(read, 'nodeSelector', given['nodeSelector']);
  const moduleName = read.text('module', given['module'], parseSpelling);
  const kernels = optionalText('kernels', parseKernelPattern);
  const kernelMappings = readMappings(read, given['image'], kernels ?? '^.+$');
  const parameters = readParameters(read, given['parameters']);
  const loadFirst = names('loadFirst');
  const inTreeModulesToRemove = names('replaces');
  const version = optionalText('version', parseVersion);
  const firmwarePath = optionalText('firmware', parseAbsolutePath);
  const dirName = optionalText('directory', parseAbsolutePath) ?? '/opt';
  const imageRepoSecret = optionalText('imagePullSecret', parseSubdomain);
  if (`${name ?? ''}${namespace ?? ''}`.length > MAX_NAMES) {
    read.report('name', `Name and namespace have more than ${MAX_NAMES} characters`, 'Choose shorter ones.');
  }
  if (moduleName !== undefined && loadFirst.some((one) => sameModule(one, moduleName))) {
    read.report('loadFirst', `Module ${moduleName} is to be loaded before itself`, 'Leave it out.');
  }
  if (given['kernels'] !== undefined && typeof given['image'] !== 'string') {
    read.report('kernels', 'The images say which kernels they are for', 'Leave "kernels" out.');
  }
  read.finish();

  return {
    apiVersion: 'kmm.sigs.x-k8s.io/v1beta1',
    kind: 'Module',
    metadata: { name: required(name), namespace: required(namespace) },
    spec: {
      moduleLoader: {
        container: {
          modprobe: {
            moduleName: required(moduleName),
            dirName,
            ...(parameters.length === 0 ? {} : { parameters }),
            ...(firmwarePath === undefined ? {} : { firmwarePath }),
            // The last to be loaded first.
            ...(loadFirst.length === 0
              ? {}
              : { modulesLoadingOrder: [required(moduleName), ...[...loadFirst].reverse()] }),
          },
          kernelMappings,
          ...(inTreeModulesToRemove.length === 0 ? {} : { inTreeModulesToRemove }),
          ...(version === undefined ? {} : { version }),
        },
      },
      ...(imageRepoSecret === undefined ? {} : { imageRepoSecret: { name: imageRepoSecret } }),
      selector,
    },
  };
}

function readMappings(read: ArgumentReader, image: unknown, regexp: string): readonly KernelMapping[] {
  if (typeof image !== 'object' || image === null) {
    const containerImage = read.text('image', image, parseImage);
    return containerImage === undefined ? [] : [{ regexp, containerImage }];
  }
  if (Object.keys(image).length === 0) read.report('image', 'There are no images', 'Give at least one.');
  return read.mapping('image', image, (at, kernel, item) => {
    const kernelRelease = read.text(at, kernel, parseKernelRelease);
    const reference = read.text(at, item, parsePinnedImage);
    if (kernelRelease === undefined || reference === undefined) return undefined;
    // KMM takes a "+" at the end off the kernels of nodes before it compares.
    return { literal: kernelRelease.replace(/\+$/, ''), containerImage: formatReference(reference) };
  });
}

function parseImage(text: string): string {
  const reference = parseRegistryImage(text);
  const image = formatReference(reference);
  const isRepository = reference.tag === undefined && reference.digest === undefined;
  return isRepository ? `${image}:\${KERNEL_FULL_VERSION}` : image;
}

/** `name=value` as KMM gives it to modprobe, which puts quotes around values that need them. */
function readParameters(read: ArgumentReader, value: unknown): readonly string[] {
  if (value === undefined) return [];
  return read.mapping('parameters', value, (at, key, item) => {
    const parameter = read.text(at, key, (text) => matching(PARAMETER_NAME, text));
    const setting = read.text(at, item, (text) => matching(PARAMETER_VALUE, text));
    return parameter === undefined || setting === undefined ? undefined : `${parameter}=${setting}`;
  });
}

/** The name of a module with "-" and "_" as they are. */
function parseSpelling(text: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_-]{0,55}$/.test(text)) return text;
  throw new SpecError('VALUE_INVALID', `Cannot use module name ${JSON.stringify(text.slice(0, 200))}`, {
    hint: 'Write the name of its file without ".ko": letters, digits, "_" and "-", at most 56.',
  });
}

function parseVersion(text: string): string {
  if (text !== '') return parseLabelValue(text);
  throw new SpecError('VALUE_INVALID', 'Cannot use an empty version', { hint: 'Leave "version" out.' });
}

function sameModule(one: string, other: string): boolean {
  return one.replaceAll('-', '_') === other.replaceAll('-', '_');
}
