import { decompressModule } from '../kmod/compression.ts';
import type { Export } from '../kmod/module.ts';
import { readModule } from '../kmod/read-module.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { allOf, type Subject } from './subject.ts';
import type { KernelFacts } from './kernel-facts.ts';
import type { OverrideReport } from './report.ts';
import type { TreeIndexes } from './tree-indexes.ts';

/** Reads modules of the base by path below the kernel's directory, as they lie there. */
export type ReadBaseModules = (paths: readonly string[]) => Promise<ReadonlyMap<string, Uint8Array>>;

export interface OverridesRequest {
  readonly kernel: KernelFacts;
  readonly base: TreeIndexes;
  readonly merged: TreeIndexes;
  /** Modules that were added to the base. */
  readonly added: readonly Subject[];
  readonly readBaseModules: ReadBaseModules | undefined;
}

/** Largest module of a base, unpacked: 128 MiB. */
const MAX_MODULE_BYTES = 128 * 1024 ** 2;

type Dependant = OverrideReport['dependants'][number];

/**
 * Finds what added modules take the place of, and what that does to the modules of the base that use what is replaced.
 * A replacement that exports all that the kernel's symvers say of its predecessor, with equal CRCs, breaks nobody;
 * only else are the dependants read.
 *
 * @throws {ModuleError} for a module of the base that cannot be read.
 */
export async function findOverrides(request: OverridesRequest): Promise<readonly OverrideReport[]> {
  const { base, merged, added } = request;
  const addedPaths = new Set(added.map(({ path }) => path));
  const overrides: OverrideReport[] = [];
  for (const [name, loser] of base.pathOf) {
    const winner = merged.pathOf.get(name);
    const replacement = added.find((subject) => subject.path === winner);
    if (winner === undefined || replacement === undefined) continue;
    const dependants = [...base.pathOf.values()].filter(
      (path) =>
        base.dependenciesOf(path)?.includes(loser) === true && isStillThere(path, request, addedPaths),
    );
    overrides.push({ name, winner, loser, dependants: await judge(name, replacement, dependants, request) });
  }
  return overrides;
}

/** A dependant that is replaced itself is verified as an added module. */
function isStillThere(path: string, { merged }: OverridesRequest, added: ReadonlySet<string>): boolean {
  return merged.pathOf.get(moduleNameOfPath(path)) === path && !added.has(path);
}

async function judge(
  name: string,
  replacement: Subject,
  dependants: readonly string[],
  request: OverridesRequest,
): Promise<readonly Dependant[]> {
  if (dependants.length === 0) return [];
  const offered = new Map(replacement.symbols.exports.map((one) => [one.symbol, one]));
  if (offersAll(name, offered, request)) {
    return dependants.map((path) => ({ path, status: 'ok', symbols: [] }));
  }
  const files = await request.readBaseModules?.(dependants);
  const judged: Dependant[] = [];
  for (const path of dependants) {
    const bytes = files?.get(path);
    if (bytes === undefined) {
      judged.push({ path, status: 'unknown', symbols: [] });
      continue;
    }
    const module = readModule(await decompressModule(bytes, { maxBytes: MAX_MODULE_BYTES }));
    const symbols = module.imports
      .filter(({ isWeak, symbol, crc }) => {
        const now = offered.get(symbol);
        if (now === undefined) return !isWeak && isLost(symbol, name, request);
        return (crc !== undefined && now.crc !== undefined && crc !== now.crc) || !imports(module, now);
      })
      .map(({ symbol }) => symbol);
    judged.push({ path, status: symbols.length > 0 ? 'broken' : 'ok', symbols });
  }
  return judged;
}

function imports(module: Pick<Subject, 'modinfo'>, { namespace = '' }: Export): boolean {
  return namespace === '' || allOf(module, 'import_ns').includes(namespace);
}

/** Says whether a symbol was the replaced module's and is nobody's now. */
function isLost(symbol: string, name: string, { base, merged }: OverridesRequest): boolean {
  return base.owners.get(symbol) === name && merged.owners.get(symbol) === undefined;
}

/** The sufficient condition: all that the predecessor exported is there, with the same CRC and in the same namespace. */
function offersAll(
  name: string,
  offered: ReadonlyMap<string, Export>,
  { kernel, base }: OverridesRequest,
): boolean {
  for (const [symbol, owner] of base.owners) {
    if (owner !== name) continue;
    const row = kernel.exports?.get(symbol);
    const now = offered.get(symbol);
    if (row === undefined || now === undefined || moduleNameOfPath(row.owner) !== name) return false;
    if (row.crc !== now.crc || (now.namespace ?? '') !== (row.namespace ?? '')) return false;
  }
  return true;
}
