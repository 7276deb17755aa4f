import { symversOf } from './compile/collected.ts';
import { compile, type CompiledDriver, type CompiledSource, type CompileRequest } from './compile/compile.ts';
import { packDriver, unpackDriver } from './compile/kept-driver.ts';
import { isPrebuilt } from './compile/prebuilt.ts';
import { CompileError } from './errors.ts';
import { type FileFailure, isFileFailure, reasonOf } from './file-failure.ts';
import type { Io } from './io.ts';
import { imageKey } from './plan/pin-source.ts';
import type { CompileUnit } from './plan/plan.ts';
import type { DriverSet } from './spec/driver-set.ts';

export interface CompileUnitOptions {
  readonly set: Pick<DriverSet, 'file'>;
  /** Processes that a compile may run at a time. */
  readonly makeJobs: number;
  /** Compiles also what was compiled before. */
  readonly force: boolean;
  /** The drivers that this one depends on, for the same kernel. */
  readonly needed?: readonly CompiledDriver[];
}

/** A driver that was compiled for a kernel, now or before. */
export interface CompiledUnit extends CompiledDriver {
  readonly unit: CompileUnit;
  /** It was compiled from the same inputs before: nothing ran. */
  readonly wasThere: boolean;
  readonly ms: number;
}

/**
 * Compiles a unit, unless its modules were kept when the same inputs were compiled before; what is compiled is kept.
 *
 * @throws {CompileError} as `compile` does; `WORKSPACE_FAILED` when there is no room, or no right, to work here.
 */
export async function compileUnit(
  unit: CompileUnit,
  { set, makeJobs, force, needed = [] }: CompileUnitOptions,
  io: Io,
): Promise<CompiledUnit> {
  const startedAt = io.now().getTime();
  try {
    const kept = force ? undefined : await findKept(unit, io);
    const compiled = kept ?? (await compileNow(unit, { set, makeJobs, needed }, io));
    return { ...compiled, unit, wasThere: kept !== undefined, ms: io.now().getTime() - startedAt };
  } catch (error) {
    throw isFileFailure(error) ? workspaceFailure(unit, error) : error;
  }
}

/**
 * What the same inputs gave before: nothing of the source is fetched for it. Modules that the user brings along are not
 * asked for, and need not be kept.
 */
export async function findKept(
  unit: CompileUnit,
  io: Pick<Io, 'compiled'>,
): Promise<CompiledDriver | undefined> {
  if (isPrebuilt(unit.driver)) return undefined;
  const bytes = await io.compiled.get(keyOf(unit));
  const found = bytes === undefined ? undefined : unpackDriver(bytes, unit);
  // Another set may have the same source under another name.
  return found === undefined ? undefined : { ...found, driver: unit.driver.name };
}

function keyOf({ inputHash }: CompileUnit): string {
  return `compiled ${inputHash}`;
}

async function compileNow(
  unit: CompileUnit,
  {
    set,
    makeJobs,
    needed,
  }: Pick<CompileUnitOptions, 'set' | 'makeJobs'> & { readonly needed: readonly CompiledDriver[] },
  io: Io,
): Promise<CompiledDriver> {
  const compiled = await compile({ set, ...unit, ...pinsOf(unit), symvers: symversOf(needed), makeJobs }, io);
  requireSameSource(unit, compiled.source);
  if (!isPrebuilt(unit.driver)) await io.compiled.put(keyOf(unit), packDriver(compiled));
  return compiled;
}

/** The commit or image that the plan was made for: a branch or a tag may have moved since. */
function pinsOf(unit: CompileUnit): Pick<CompileRequest, 'commit' | 'imageDigest'> {
  const source = unit.source.type === 'dkms' ? unit.source.tree : unit.source;
  if (source.type === 'git') return { commit: source.commit };
  if (source.type !== 'image') return {};
  const imageDigest = source.images[imageKey(unit)];
  if (imageDigest !== undefined) return { imageDigest };
  // Its tag may be there by now: what it names was no part of the plan, and nobody has locked it.
  throw new CompileError(
    'SOURCE_UNREADABLE',
    `Cannot compile ${unit.id}: no image for this kernel was there when the source was pinned`,
    {
      hint: 'Check that the vendor has one; then run "kmodlayer lock" where there is a lock, and build again.',
    },
  );
}

/** The input hash of what comes of it is that of the source as it was when the build was planned. */
function requireSameSource({ driver, source }: CompileUnit, compiled: CompiledSource): void {
  const planned = source.type === 'dkms' ? source.tree : source;
  const used = compiled.type === 'dkms' ? compiled.tree : compiled;
  // Commits and checksums were looked at when they were fetched.
  if (planned.type !== 'directory' && planned.type !== 'files' && planned.type !== 'module') return;
  if (planned.type !== used.type || planned.digest === used.digest) return;
  throw new CompileError(
    'SOURCE_UNREADABLE',
    `Cannot use the source of ${driver.name}: it changed while the build ran, from ${planned.digest} to ${used.digest}`,
    { hint: 'Run the build again, on files that nothing writes to.' },
  );
}

/** Temporary directories, sources that are checked out, what is copied out of a container. */
function workspaceFailure({ id }: CompileUnit, error: FileFailure): CompileError {
  // What is copied has room already; what it is copied to has none.
  const path = 'dest' in error && typeof error.dest === 'string' ? error.dest : error.path;
  const where = path === undefined ? '' : ` in ${path}`;
  return new CompileError(
    'WORKSPACE_FAILED',
    `Cannot compile ${id}: cannot work${where}: ${reasonOf(error) ?? error.message}`,
    {
      cause: error,
      hint: 'Check the space that is left there and who may write; TMPDIR says where temporary directories go.',
    },
  );
}
