import { join } from 'node:path';
import { SpecError, type SpecProblem } from '../src/errors.ts';
import { lintManifests, type ManifestReport } from '../src/verify/manifest/lint-manifests.ts';
import type { Manifest } from '../src/verify/manifest/manifest.ts';
import { readManifests } from '../src/verify/manifest/read-manifests.ts';
import { parseMinor } from '../src/verify/manifest/release.ts';
import type { LintFlags } from './commands/lint.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import type { LintArguments } from './lint-arguments.ts';

/** What manifests were read, what was found in them, and what could not be read. */
export interface LintedManifests {
  readonly report: ManifestReport;
  /** Files that were read, in the order of the arguments. */
  readonly files: readonly string[];
  readonly unread: readonly { readonly file: string; readonly problems: readonly SpecProblem[] }[];
}

/** Kinds that rules know, or that hold others: no other file of a directory is worth parsing. */
const KINDS =
  /\bkind["']?\s*:\s*["']?(?:MachineConfig|MachineConfigPool|MachineOSConfig|MachineConfiguration|PinnedImageSet|Module|BootModuleConfig|ManagedClusterModule|PreflightValidationOCP|Policy|ConfigurationPolicy|\w*List)\b/;

/**
 * Reads manifests and lints them together, as a pool would merge them.
 *
 * @throws {SpecError} `SPEC_UNREADABLE` for a file that is not there, `USAGE` when there are no manifests at all.
 */
export async function lintManifestFiles(
  { files, directories }: Pick<LintArguments, 'files' | 'directories'>,
  flags: Pick<LintFlags, 'openshift' | 'pool'>,
  context: CliContext,
): Promise<LintedManifests> {
  const io = makeFiles(context.cwd);
  const manifests: Manifest[] = [];
  const read: string[] = [];
  const unread: { file: string; problems: readonly SpecProblem[] }[] = [];
  const take = (file: string, bytes: Uint8Array, isNamed: boolean): void => {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      unread.push({
        file,
        problems: [
          {
            path: '',
            message: 'Cannot read this YAML: it is not UTF-8',
            hint: 'Name an archive of an image as oci-archive:FILE.',
          },
        ],
      });
      return;
    }
    if (!isNamed && !KINDS.test(text)) return;
    const result = readManifests(file, text);
    if (result.problems.length > 0) {
      unread.push({ file, problems: result.problems });
      return;
    }
    read.push(file);
    manifests.push(...result.manifests);
  };

  for (const file of files) {
    if (file === '-') take('-', await context.readStdin(), true);
    else take(file, await readInput(io, file), true);
  }
  for (const directory of directories) {
    for (const path of await io.list(directory)) {
      if (!/\.(?:ya?ml|json)$/i.test(path)) continue;
      const file = join(directory, path);
      take(file, await readInput(io, file), false);
    }
  }
  if (manifests.length === 0 && unread.length === 0) {
    throw new SpecError('USAGE', `Cannot find a manifest in ${[...files, ...directories].join(', ')}`, {
      hint: 'Name files or directories with objects of Kubernetes in YAML or JSON, or an image with its registry.',
    });
  }
  const report = lintManifests(manifests, {
    release: flags.openshift === undefined ? undefined : parseMinor(flags.openshift),
    pool: flags.pool,
  });
  return { report, files: read, unread };
}

/** What a person is told of files that could not be read, once the rest is linted; undefined when all could be. */
export function unreadError({ unread }: LintedManifests): SpecError | undefined {
  const [first] = unread;
  if (first === undefined) return undefined;
  if (unread.length === 1) {
    const { file, problems } = first;
    return new SpecError('SPEC_UNREADABLE', `Cannot lint ${file}`, { file, problems });
  }
  return new SpecError('SPEC_UNREADABLE', `Cannot lint ${unread.length} files`, {
    problems: unread.flatMap(({ file, problems }) =>
      problems.slice(0, 1).map((problem) => ({ ...problem, path: file })),
    ),
  });
}
