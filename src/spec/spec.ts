import { SpecError, type SpecProblem } from '../errors.ts';
import { crossCheck } from './cross-checks.ts';
import { readDocument } from './document.ts';
import type { Driver, DriverBuild, DriverSet, DriverSource, SignerSettings } from './driver-set.ts';
import { findShapeProblems } from './problems.ts';
import { Spec } from './schema.ts';

export type * from './driver-set.ts';
export { pathFrom, referenceFrom } from './paths.ts';
export { Spec } from './schema.ts';

/** What a driver without `build` runs: Kbuild, with the source as the external module. */
const DEFAULT_COMMAND = 'make -C "/usr/src/kernels/$KERNEL_RELEASE" M="$PWD" modules';

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
  const { targets } = spec;
  const excluded = new Set(targets.exclude.map((entry) => entry.release));
  return {
    name: spec.metadata.name,
    file,
    targets: {
      ...targets,
      releases: targets.releases.filter(
        (release) => release.type === 'image' || !excluded.has(release.version),
      ),
      arches: [...new Set(targets.arches)],
      releaseRepository: targets.releaseRepository,
      streams: targets.streams,
      kernels: [...new Set(targets.kernels)],
    },
    drivers: spec.drivers.map(driverOf),
    signer: signerOf(spec.sign[0]),
    publish: spec.publish,
    rollout: spec.rollout,
  };
}

function driverOf(entry: Spec['drivers'][number]): Driver {
  const source = sourceOf(entry.source);
  return {
    name: entry.name,
    version: entry.version,
    source,
    build: source.type === 'files' ? undefined : buildOf(entry.build),
    modules: entry.modules,
    softdeps: entry.softdeps,
    firmware: entry.firmware,
  };
}

/** `crossCheck` has seen that exactly one is there. */
function sourceOf({ directory, git, files = [] }: Spec['drivers'][number]['source']): DriverSource {
  if (directory !== undefined) return { type: 'directory', path: directory };
  if (git !== undefined) return { type: 'git', url: git.url, ref: git.ref };
  return { type: 'files', paths: files };
}

function buildOf(build: Spec['drivers'][number]['build']): DriverBuild {
  const { args = {}, secrets = [], output } = build ?? {};
  if (build?.containerfile !== undefined) {
    return { type: 'containerfile', path: build.containerfile, stage: build.stage, args, secrets, output };
  }
  return {
    type: 'run',
    command: build?.run ?? DEFAULT_COMMAND,
    workdir: build?.workdir,
    args,
    secrets,
    output,
  };
}

function signerOf(entry: Spec['sign'][number] | undefined): SignerSettings | undefined {
  if (entry === undefined) return undefined;
  const { env, file } = entry.passphrase ?? {};
  return {
    key: entry.key,
    certificate: entry.certificate,
    hash: entry.hash,
    passphrase:
      env !== undefined
        ? { type: 'env', name: env }
        : file !== undefined
          ? { type: 'file', path: file }
          : undefined,
  };
}
