import { ModuleError } from '../errors.ts';
import { decompressModule } from '../kmod/compression.ts';
import type { DepmodConfig } from '../kmod/depmod/config.ts';
import type { Certificate } from '../sign/certificate.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { elfFailure } from './checks/elf.ts';
import type { HasFirmware } from './checks/firmware.ts';
import { checkDependants, checkPrecedence } from './checks/precedence.ts';
import type { KernelFacts } from './kernel-facts.ts';
import { findOverrides, type ReadBaseModules } from './overrides.ts';
import type { ModuleReport, OverrideReport } from './report.ts';
import type { SharedUses } from './resolve-symbols.ts';
import { makeModuleTree, readTreeIndexes } from './tree-indexes.ts';
import { type ExaminedModule, examineModule, linkModule } from './verify-module.ts';

/** A module of a tree that is to be verified. */
export interface TreeModule {
  /** Below the kernel's module directory, as the indexes name it. */
  readonly path: string;
  /** Its file, compressed or not; read once, when its turn comes. */
  readonly read: () => Promise<Uint8Array>;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** The file is the base's own: it takes the place of none. */
  readonly isOfBase?: boolean | undefined;
}

/** Gives the bytes of a module without its compression. @throws {ModuleError} as `decompressModule` does. */
export type UnpackModule = (module: TreeModule) => Promise<Uint8Array>;

export interface VerifyTreeRequest {
  readonly kernel: KernelFacts;
  readonly modules: readonly TreeModule[];
  /** Index files of the tree with these modules in it, as modprobe reads them: `modules.dep` and `modules.symbols`. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** The same files before the modules came; without them nothing is said of what they replace. */
  readonly baseIndexes?: ReadonlyMap<string, Uint8Array> | undefined;
  /** Asked for modules of the base only where the small files do not tell. */
  readonly readBaseModules?: ReadBaseModules | undefined;
  readonly certificates?: readonly Certificate[] | undefined;
  /** Reads and unpacks a module in place of `read`, for instance in another thread. */
  readonly unpack?: UnpackModule | undefined;
  readonly hasFirmware?: HasFirmware | undefined;
  /** Paths of all module files of the tree; with `depmodConfig`, duplicates are found. */
  readonly files?: readonly string[] | undefined;
  readonly depmodConfig?: DepmodConfig | undefined;
}

/** What was found out about the modules of a tree. */
export interface TreeReport {
  /** In the order in which they were given. */
  readonly modules: readonly ModuleReport[];
  readonly overrides: readonly OverrideReport[];
}

/** Modules that are read at a time: enough to keep some threads busy. */
const AT_ONCE = 6;

/**
 * Verifies modules in the tree that they are loaded from: each one by itself, what it needs from the others, which file
 * wins, and what becomes of the modules of the base that depend on what is replaced.
 *
 * @throws {ModuleError} `INDEX_INVALID` for indexes that are missing or damaged, and as reading modules of the base does.
 */
export async function verifyTree(request: VerifyTreeRequest): Promise<TreeReport> {
  const { kernel, files = [], depmodConfig, hasFirmware } = request;
  const indexes = readTreeIndexes(request.indexes);
  const examined = await examineAll(request);
  const subjects = examined.flatMap(({ subject }) => (subject === undefined ? [] : [subject]));
  const tree = makeModuleTree(indexes, subjects, kernel);
  const ofBase = new Set(request.modules.flatMap(({ path, isOfBase = false }) => (isOfBase ? [path] : [])));
  const added = subjects.filter(({ path }) => !ofBase.has(path));
  const overrides =
    request.baseIndexes === undefined || added.length === 0
      ? []
      : await findOverrides({
          kernel,
          base: readTreeIndexes(request.baseIndexes),
          merged: indexes,
          added,
          readBaseModules: request.readBaseModules,
        });
  const filesByName = groupByName(files);
  const overrideOf = new Map(overrides.map((override) => [override.winner, override]));
  const shared: SharedUses = new Map();
  const modules = examined.map((one) => {
    const { path } = one;
    const rivals = filesByName.get(moduleNameOfPath(path)) ?? [];
    const precedence = checkPrecedence({ path, kernel, indexes, files: rivals, config: depmodConfig });
    const dependants = checkDependants(overrideOf.get(path));
    const more = dependants === undefined ? [precedence] : [precedence, dependants];
    return linkModule(one, kernel, { tree, hasFirmware, more, shared });
  });
  return { modules, overrides };
}

async function examineAll(request: VerifyTreeRequest): Promise<readonly ExaminedModule[]> {
  const { modules } = request;
  const examined: ExaminedModule[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < modules.length; at = next++) {
      const module = modules[at];
      if (module !== undefined) examined[at] = await examineOne(module, request);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return examined;
}

/** A file that does not unpack is a module that fails, as for the kernel. */
async function examineOne(
  module: TreeModule,
  { kernel, certificates, unpack = unpackHere }: VerifyTreeRequest,
): Promise<ExaminedModule> {
  const { path, parameters } = module;
  try {
    const bytes = await unpack(module);
    return examineModule({ path, bytes, kernel, certificates, parameters });
  } catch (error) {
    if (error instanceof ModuleError) return { path, checks: [elfFailure(error)], subject: undefined };
    throw error;
  }
}

async function unpackHere({ read }: TreeModule): Promise<Uint8Array> {
  return decompressModule(await read());
}

function groupByName(files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const path of files) {
    const name = moduleNameOfPath(path);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [path]);
    else group.push(path);
  }
  return groups;
}
