import { resolve as resolvePath } from 'node:path';
import { SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { parseReference } from '../src/oci/reference.ts';
import { resolve } from '../src/resolve/resolve.ts';
import type { Target } from '../src/resolve/target.ts';
import { type ComparedModule, diffReleases } from '../src/verify/diff-releases.ts';
import type { DiffFlags } from './commands/diff.ts';
import type { CliContext } from './context.ts';
import { modulesOfFiles, modulesOfImage, modulesOfSet } from './diff-modules.ts';
import { CheckFailed } from './exit-codes.ts';
import { readInput } from './io/read-input.ts';
import { makeIo } from './make-io.ts';
import { diffData, diffText } from './report/diff-text.ts';
import { printResult } from './report/output.ts';

/**
 * Compares two releases and prints what differs.
 *
 * @throws {CheckFailed} when drivers have to be built again, or nothing says that they need not.
 */
export async function diff(
  names: { readonly before: string; readonly after: string },
  flags: DiffFlags,
  context: CliContext,
): Promise<void> {
  const io = await makeIo(context, flags);
  const [before, after] = await Promise.all([
    targetOf(names.before, flags, io),
    targetOf(names.after, flags, io),
  ]);
  if (before.stream !== after.stream) {
    // Symbols of two streams have nothing to do with each other: every driver is built anew.
    throw new SpecError('USAGE', `Cannot compare stream ${before.stream} with ${after.stream}`, {
      hint: 'Choose one that both releases have with --stream.',
    });
  }
  const modules = await modulesOf(flags, before, { io, cwd: context.cwd });

  const found = await diffReleases({ before, after, modules }, io);

  await printResult(context, flags.output, {
    verb: 'diff',
    data: diffData(found),
    text: () => diffText(found),
  });
  const isKnownGood = found.modules.length > 0 && found.modules.every(({ symbols }) => symbols.length === 0);
  if (found.isKernelChanged && !isKnownGood) throw new CheckFailed();
}

async function targetOf(
  release: string,
  { arch, stream, releaseRepository }: DiffFlags,
  io: Io,
): Promise<Target> {
  const [target] = await resolve(
    {
      release,
      releaseRepository: releaseRepository === undefined ? undefined : parseReference(releaseRepository),
      arches: [arch],
      streams: stream === undefined ? undefined : [stream],
    },
    io,
  );
  if (target === undefined) throw new TypeError(`No target of ${release} for ${arch}`);
  return target;
}

async function modulesOf(
  { module = [], image = [], file }: DiffFlags,
  target: Target,
  { io, cwd }: { readonly io: Io; readonly cwd: string },
): Promise<readonly ComparedModule[]> {
  const modules = [...(await modulesOfFiles(module, io))];
  for (const name of image) modules.push(...(await modulesOfImage(name, target, io)));
  if (file === undefined) return modules;
  const { parseSpec } = await import('../src/spec/spec.ts');
  const set = parseSpec(Buffer.from(await readInput(io.files, file)).toString('utf8'), file);
  return [...modules, ...(await modulesOfSet({ ...set, file: resolvePath(cwd, file) }, target, io))];
}
