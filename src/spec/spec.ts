import { SpecError, type SpecProblem } from '../errors.ts';
import { crossCheck } from './cross-checks.ts';
import { readDocument } from './document.ts';
import type { Driver, DriverSet, Exclusion, SecretSource, SignerSettings, Signing } from './driver-set.ts';
import { buildOf, sourceOf } from './driver-source.ts';
import { findShapeProblems } from './problems.ts';
import { Spec } from './schema.ts';

export type * from './driver-set.ts';
export { pathFrom, referenceFrom } from './paths.ts';
export { Spec } from './schema.ts';

/**
 * Reads a spec (`kmodlayer.yaml`). All of its problems are found in one go.
 *
 * @param file Name of the file, for messages and for relative paths; it is not opened.
 * @throws {SpecError} `SPEC_INVALID` with every problem: path, line, message and hint.
 */
export function parseSpec(text: string, file: string): DriverSet {
  const document = readDocument(text);
  const problems: SpecProblem[] = [...document.problems];
  if (document.isReadable) {
    const result = Spec.safeParse(document.value);
    if (!result.success) problems.push(...findShapeProblems(document, result.error));
    problems.push(...crossCheck(document));
    if (result.success && problems.length === 0) return driverSetOf(result.data, file);
  }
  problems.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
  const count = problems.length === 1 ? 'it has a problem' : `it has ${problems.length} problems`;
  throw new SpecError('SPEC_INVALID', `Cannot use ${file}: ${count}`, { problems, file });
}

function driverSetOf(spec: Spec, file: string): DriverSet {
  const { ceiling, exclude, ...targets } = spec.targets;
  return {
    name: spec.metadata.name,
    file,
    targets: {
      ...targets,
      graph: targets.graph,
      exclude: exclude.map(exclusionOf),
      ceilings: ceiling,
      arches: [...new Set(targets.arches)],
      releaseRepository: targets.releaseRepository,
      streams: targets.streams,
      kernels: [...new Set(targets.kernels)],
    },
    drivers: spec.drivers.map(driverOf),
    signing: signingOf(spec.sign),
    publish: publishOf(spec.publish),
    reuse: spec.reuse,
    rollout: spec.rollout,
  };
}

function publishOf({ osImage, kmodImage }: Spec['publish']): DriverSet['publish'] {
  if (kmodImage === undefined) return { osImage };
  if ('transport' in kmodImage) return { osImage, kmodImage };
  return { osImage, kmodImage: kmodImage.repository, kmodBase: kmodImage.base };
}

/** `crossCheck` has seen that exactly one is there. */
function exclusionOf({ release, kernel = '', because }: Spec['targets']['exclude'][number]): Exclusion {
  return release === undefined
    ? { type: 'kernel', pattern: kernel, because }
    : { type: 'release', range: release, because };
}

function driverOf(entry: Spec['drivers'][number]): Driver {
  const source = sourceOf(entry.source);
  return {
    name: entry.name,
    version: entry.version,
    source,
    build: buildOf(source, entry.build),
    modules: entry.modules,
    softdeps: entry.softdeps,
    firmware: entry.firmware,
    dependsOn: entry.dependsOn,
  };
}

/** How long a command may take for one module when the spec does not say. */
const COMMAND_TIMEOUT_SECONDS = 60;

function signingOf(sign: Spec['sign']): Signing {
  if (sign === 'throw-away') return { type: 'throw-away' };
  const [first, ...others] = sign.map(signerOf);
  return first === undefined ? { type: 'unsigned' } : { type: 'signers', signers: [first, ...others] };
}

function signerOf(entry: Exclude<Spec['sign'], string>[number]): SignerSettings {
  const { key, certificate, hash } = entry;
  if (key?.type === 'pkcs11') {
    const { library, pin } = entry;
    return { type: 'pkcs11', key: key.uri, certificate, hash, library, pin: secretOf(pin) };
  }
  if (key !== undefined) {
    return { type: 'file', key: key.path, certificate, hash, passphrase: secretOf(entry.passphrase) };
  }
  // `crossCheck` has seen that there is a command when there is no key.
  const [program = '', ...args] = entry.command ?? [];
  return {
    type: 'command',
    command: [program, ...args],
    certificate,
    hash,
    input: entry.input ?? 'digest',
    timeoutMs: 1000 * (entry.timeoutSeconds ?? COMMAND_TIMEOUT_SECONDS),
  };
}

function secretOf(
  entry: { env?: string | undefined; file?: string | undefined } = {},
): SecretSource | undefined {
  const { env, file } = entry;
  if (env !== undefined) return { type: 'env', name: env };
  return file === undefined ? undefined : { type: 'file', path: file };
}
