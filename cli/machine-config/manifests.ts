import { SpecError } from '../../src/errors.ts';
import { toYaml } from '../../src/manifests/yaml.ts';
import type { DriverSet } from '../../src/spec/driver-set.ts';
import { readManifests } from '../../src/verify/manifest/read-manifests.ts';
import type { ManifestFlags } from '../commands/machine-config/output-flag.ts';
import type { CliContext } from '../context.ts';
import { makeFiles } from '../io/files.ts';
import { readInput } from '../io/read-input.ts';

/** Prints objects: documents of YAML, or one object or list of JSON. */
export function printManifests(
  objects: readonly object[],
  { output }: ManifestFlags,
  { stdout }: Pick<CliContext, 'stdout'>,
): void {
  const [only] = objects;
  const list = objects.length === 1 ? only : { apiVersion: 'v1', kind: 'List', items: objects };
  stdout.write(output === 'yaml' ? toYaml(objects) : `${JSON.stringify(list, null, 2)}\n`);
}

/**
 * What `make` gives. Problems of its options become problems of the flags that gave them.
 *
 * @param names Flags by option, where they are not the option in kebab case.
 * @param optionOf The option that flags gave, of the path of a problem.
 */
export function fromFlags<Result>(
  names: Readonly<Record<string, string>>,
  make: () => Result,
  optionOf = (path: string): string => path,
): Result {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    const problems = error.problems.map((problem) => ({
      ...problem,
      path: flagOf(optionOf(problem.path), names),
    }));
    throw new SpecError('VALUE_INVALID', error.message, { cause: error, hint: error.hint, problems });
  }
}

/** `--pull-timeout` for `pullTimeout`, unless a name says otherwise. */
export function flagOf(path: string, names: Readonly<Record<string, string>>): string {
  const [option = ''] = /^[A-Za-z]*/.exec(path) ?? [];
  return names[option] ?? `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Options without those that no flag gave. */
export function defined(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** `KEY=VALUE` of a flag that may be repeated, as a mapping. */
export function pairsOf(
  flag: string,
  texts: readonly string[] | undefined,
): Readonly<Record<string, string>> | undefined {
  if (texts === undefined) return undefined;
  return onceEach(
    flag,
    texts.map((text): readonly [string, string] => {
      const at = text.indexOf('=');
      if (at >= 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new SpecError(
        'USAGE',
        `Cannot use ${flag} ${JSON.stringify(text.slice(0, 200))}: it has no "="`,
        {
          hint: `Write ${flag} KEY=VALUE.`,
        },
      );
    }),
  );
}

/**
 * Pairs of a flag that may be repeated, as a mapping.
 *
 * @throws {SpecError} `USAGE` for a key that is there twice: one of its values would be lost.
 */
export function onceEach(
  flag: string,
  pairs: readonly (readonly [string, string])[],
): Readonly<Record<string, string>> {
  const keys = pairs.map(([key]) => key);
  const twice = keys.find((key, at) => keys.indexOf(key) !== at);
  if (twice !== undefined) {
    throw new SpecError('USAGE', `Cannot use ${flag} for ${JSON.stringify(twice.slice(0, 200))} twice`, {
      hint: 'Give it once.',
    });
  }
  return Object.fromEntries(pairs);
}

/** Images of flags: one as it is; several, or one with a kernel before it, by kernel. */
export function imageOf(images: readonly string[] = []): unknown {
  const [first] = images;
  if (images.length === 0 || (images.length === 1 && !/^[^/@]*=/.test(first ?? ''))) return first;
  return onceEach(
    '--image',
    images.map((text): readonly [string, string] => {
      const at = text.indexOf('=');
      if (at < 0) {
        throw new SpecError(
          'USAGE',
          `Cannot use --image ${JSON.stringify(text.slice(0, 200))}: it names no kernel`,
          {
            hint: 'Write --image KERNEL=IMAGE@DIGEST for each kernel.',
          },
        );
      }
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/**
 * Reads the spec that `--file` names.
 *
 * @param others Flags that say the same as a spec and cannot stand beside it.
 * @throws {SpecError} `USAGE` for such a flag, and what `parseSpec` throws.
 */
export async function readSpec(
  file: string,
  others: Readonly<Record<string, unknown>>,
  { cwd }: CliContext,
): Promise<DriverSet> {
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) {
    throw new SpecError('USAGE', `Cannot use ${flagOf(other, {})} with --file: the spec says it`, {
      hint: 'Change the spec, or leave --file out.',
    });
  }
  const { parseSpec } = await import('../../src/spec/spec.ts');
  const bytes = await readInput(makeFiles(cwd), file);
  return parseSpec(Buffer.from(bytes).toString('utf8'), file);
}

/**
 * The objects in a file of YAML or JSON; `-` is stdin.
 *
 * @throws {SpecError} `SPEC_UNREADABLE` for a file that is not there, and what `objectsOf` throws.
 */
export async function readObjects(file: string, context: CliContext): Promise<readonly unknown[]> {
  const bytes = file === '-' ? await context.readStdin() : await readInput(makeFiles(context.cwd), file);
  return objectsOf(file, Buffer.from(bytes).toString('utf8'));
}

/**
 * The objects in a text of YAML or JSON.
 *
 * @throws {SpecError} `SPEC_INVALID` when it has none, or is not all YAML.
 */
export function objectsOf(file: string, text: string): readonly unknown[] {
  const { manifests, problems } = readManifests(file, text);
  if (problems.length === 0 && manifests.length > 0) return manifests.map(({ value }) => value);
  throw new SpecError('SPEC_INVALID', `Cannot use ${file}: it has no objects of Kubernetes`, {
    file,
    problems,
    hint: 'Name a file with YAML or JSON, as "kmodlayer machine-config" prints it.',
  });
}
