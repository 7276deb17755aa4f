import { CompileError } from '../errors.ts';
import { DeepYaml, readYamlDocuments } from '../yaml-documents.ts';

/** How a Module of KMM builds for one kernel. */
export interface KmmBuild {
  readonly name: string;
  readonly namespace: string;
  /** Text of the Dockerfile in its ConfigMap. */
  readonly containerfile: string;
  /** Of the container and of the kernel mapping, merged as KMM merges them. */
  readonly args: Readonly<Record<string, string>>;
  /** Names of the Secrets that it mounts below `/run/secrets`. */
  readonly secrets: readonly string[];
}

/** Arguments that KMM sets itself: a Module cannot. */
const AUTOMATIC = new Set(['KERNEL_VERSION', 'KERNEL_FULL_VERSION', 'MOD_NAME', 'MOD_NAMESPACE', 'DTK_AUTO']);

export interface KmmModuleRequest {
  /** Where the text comes from, for messages. */
  readonly file: string;
  readonly kernel: string;
  /** The Module that is meant; undefined when there is one. */
  readonly name: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads how a Module builds for a kernel, from YAML that holds it and the ConfigMap of its Dockerfile.
 *
 * The first mapping whose `literal` is the kernel, or whose `regexp` matches it, counts. Of `build` in the container
 * and in the mapping, the mapping's ConfigMap and its arguments win, and the secrets of both are mounted.
 *
 * @throws {CompileError} `SOURCE_UNREADABLE`, `KERNEL_EXCLUDED` when no mapping is for the kernel.
 * @see https://kmm.sigs.k8s.io/documentation/deploy_kmod/
 */
export function readKmmModule(text: string, request: KmmModuleRequest): KmmBuild {
  const documents = readDocuments(text, request.file);
  const module = findModule(documents, request);
  const metadata = record(module['metadata']);
  const container = record(record(record(module['spec'])['moduleLoader'])['container']);
  const mapping = findMapping(container, request);
  const build = mergeBuilds(container['build'], mapping['build']);
  const name = textOf(metadata['name']);
  if (build === undefined) {
    throw unreadable(
      request.file,
      `Module ${name} has no build for ${request.kernel}`,
      'Add "build", or write the image under "source.image".',
    );
  }
  return {
    name,
    namespace: textOf(metadata['namespace']),
    containerfile: dockerfileOf(documents, build.configMap, request.file),
    args: build.args,
    secrets: build.secrets,
  };
}

function readDocuments(text: string, file: string): readonly Json[] {
  try {
    const documents = readYamlDocuments(text);
    const broken = documents.flatMap(({ errors }) => errors)[0];
    if (broken !== undefined) throw unreadable(file, broken.message.split('\n')[0] ?? '');
    return documents.flatMap((document) => {
      const value = record(document.toJS({ maxAliasCount: 100 }));
      return value['kind'] === 'List' ? list(value['items']).map(record) : [value];
    });
  } catch (error) {
    if (error instanceof CompileError) throw error;
    if (error instanceof DeepYaml || error instanceof ReferenceError) throw unreadable(file, error.message);
    throw error;
  }
}

function findModule(documents: readonly Json[], { file, name }: KmmModuleRequest): Json {
  const modules = documents.filter(
    (one) => one['kind'] === 'Module' && textOf(one['apiVersion']).startsWith('kmm.sigs.x-k8s.io/'),
  );
  const names = modules.map((one) => textOf(record(one['metadata'])['name']));
  const found = modules.filter((_, at) => name === undefined || names[at] === name);
  const [module] = found;
  if (module !== undefined && found.length === 1) return module;
  const state = modules.length === 0 ? 'there is no Module' : `there are the Modules ${names.join(', ')}`;
  throw unreadable(file, state, 'Name one with "source.module.name".');
}

function findMapping(container: Json, { file, kernel }: KmmModuleRequest): Json {
  // Nodes with such a kernel get the mapping of the one without it.
  const wanted = kernel.replace(/\+$/, '');
  const mappings = list(container['kernelMappings']).map(record);
  const found = mappings.find(({ literal, regexp }) => {
    if (typeof literal === 'string' && literal !== '') return literal === wanted;
    return typeof regexp === 'string' && regexp !== '' && toPattern(regexp, file).test(wanted);
  });
  if (found !== undefined) return found;
  const known = mappings.map(({ literal, regexp }) => textOf(literal) || textOf(regexp)).join(', ');
  throw new CompileError(
    'KERNEL_EXCLUDED',
    `Cannot build from ${file} for ${kernel}: its mappings are for ${known || 'no kernel'}`,
    {
      hint: 'Add a kernel mapping, or leave out the releases that have this kernel.',
    },
  );
}

function toPattern(regexp: string, file: string): RegExp {
  try {
    return new RegExp(regexp, 'u');
  } catch (error) {
    throw unreadable(
      file,
      `the regexp ${JSON.stringify(regexp.slice(0, 200))} cannot be read`,
      undefined,
      error,
    );
  }
}

interface Merged {
  readonly configMap: string;
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

function mergeBuilds(container: unknown, mapping: unknown): Merged | undefined {
  if (container === undefined && mapping === undefined) return undefined;
  const [outer, inner] = [record(container), record(mapping)];
  const args = new Map(argsOf(outer));
  // Those of the mapping replace in place; what is new comes after, by name.
  const added = argsOf(inner).sort(([one], [other]) => (one < other ? -1 : 1));
  for (const [name, value] of added) args.set(name, value);
  const nameOf = (build: Json): string => textOf(record(build['dockerfileConfigMap'])['name']);
  return {
    configMap: nameOf(inner) || nameOf(outer),
    args: Object.fromEntries([...args].filter(([name]) => !AUTOMATIC.has(name))),
    secrets: [
      ...new Set(
        [outer, inner].flatMap((build) => list(build['secrets'])).map((one) => textOf(record(one)['name'])),
      ),
    ],
  };
}

function argsOf(build: Json): [string, string][] {
  return list(build['buildArgs']).map((entry) => {
    const { name, value } = record(entry);
    return [textOf(name), textOf(value)];
  });
}

function dockerfileOf(documents: readonly Json[], name: string, file: string): string {
  const found = documents.find(
    (one) => one['kind'] === 'ConfigMap' && record(one['metadata'])['name'] === name,
  );
  const dockerfile = record(found?.['data'])['dockerfile'];
  if (typeof dockerfile === 'string') return dockerfile;
  const state =
    found === undefined ? `there is no ConfigMap ${name}` : `ConfigMap ${name} has no "dockerfile"`;
  throw unreadable(file, state, 'Put the ConfigMap with the Dockerfile into the same file, after "---".');
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function unreadable(file: string, why: string, hint?: string, cause?: unknown): CompileError {
  return new CompileError('SOURCE_UNREADABLE', `Cannot build from ${file}: ${why}`, { hint, cause });
}
