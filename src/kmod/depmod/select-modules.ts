import { ModuleError } from '../../errors.ts';
import type { KernelModule } from '../module.ts';
import type { BaseIndexes } from './base-indexes.ts';
import type { KernelConfig } from './config.ts';
import { MAX_MODULES } from './dependencies-file.ts';
import { orderModules } from './module-order.ts';
import { moduleName } from './names.ts';
import { chooseFile, isSearched } from './search-order.ts';

/** A module that joins the tree. */
export interface AddedModule {
  /** Path below the kernel's module directory, for instance `extra/ice/ice.ko`. */
  readonly path: string;
  readonly module: KernelModule;
}

/** Of two files of one module depmod takes the winner. Both paths are equal when a file of the base is replaced. */
export interface Precedence {
  /** Name of the module. */
  readonly name: string;
  readonly winner: string;
  readonly loser: string;
}

/** A module of the merged tree. */
export interface SelectedModule {
  readonly name: string;
  readonly path: string;
  /** Number of the base's module of this name; undefined when the base has none. */
  readonly base: number | undefined;
  readonly isAdded: boolean;
  /** What the file holds: known for added modules, and for those of the base that were read. */
  readonly module: KernelModule | undefined;
}

/** Modules of the merged tree, in depmod's order. */
export interface Selection {
  readonly modules: readonly SelectedModule[];
  /** New numbers by number in the base; the module there may be an added one of the same name. */
  readonly numberOfBase: Int32Array;
  /** Modules of the base whose files lost, by number in the base. */
  readonly replaced: ReadonlySet<number>;
  readonly overridden: readonly Precedence[];
  readonly shadowed: readonly Precedence[];
  /** Added files that depmod never looks at, because of an `exclude` line. */
  readonly excluded: readonly string[];
}

export interface SelectOptions {
  readonly added: readonly AddedModule[];
  readonly baseModules: ReadonlyMap<string, KernelModule>;
  readonly config: KernelConfig;
}

/**
 * Decides which files depmod would take for each module of the merged tree, and numbers the modules.
 *
 * @throws {ModuleError} `DUPLICATE_MODULE`; `NAME_MISMATCH` for a path that is no module's; `LIMIT_EXCEEDED`;
 * `INDEX_UNSUPPORTED` for a configuration that the base's indexes contradict.
 */
export function selectModules(base: BaseIndexes, options: SelectOptions): Selection {
  const { paths, names, numberOfName } = base.dependencies;
  const { config, baseModules } = options;
  if (!paths.every((path) => isSearched(path, config))) throw contradicted();
  const addedByPath = new Map<string, AddedModule>();
  const excluded: string[] = [];
  const pathsByName = new Map<string, string[]>();
  for (const added of [...options.added].sort((left, right) => (left.path < right.path ? -1 : 1))) {
    checkPath(added.path);
    if (addedByPath.has(added.path)) throw duplicatePath(added.path);
    addedByPath.set(added.path, added);
    const name = moduleName(added.path);
    if (!isSearched(added.path, config)) excluded.push(added.path);
    else pathsByName.set(name, [...(pathsByName.get(name) ?? []), added.path]);
  }

  const overridden: Precedence[] = [];
  const shadowed: Precedence[] = [];
  const replaced = new Set<number>();
  const winners: SelectedModule[] = [];
  for (const [name, candidates] of pathsByName) {
    const number = numberOfName.get(name);
    const basePath = number === undefined ? undefined : paths[number];
    const all =
      basePath === undefined || candidates.includes(basePath) ? candidates : [...candidates, basePath];
    const winner = chooseFile(all, config);
    for (const loser of all)
      if (loser !== winner && loser !== basePath) shadowed.push({ name, winner, loser });
    const added = addedByPath.get(winner);
    if (added === undefined) continue;
    winners.push({ name, path: winner, base: number, isAdded: true, module: added.module });
    if (number === undefined || basePath === undefined) continue;
    replaced.add(number);
    overridden.push({ name, winner, loser: basePath });
  }

  const modules: SelectedModule[] = [...winners];
  for (const [number, path] of paths.entries()) {
    if (replaced.has(number)) continue;
    const module = baseModules.get(path);
    modules.push({ name: names[number] ?? '', path, base: number, isAdded: false, module });
  }
  checkCount(modules.length);
  const ordered: SelectedModule[] = [];
  const numberOfBase = new Int32Array(paths.length);
  for (const index of orderModules(modules, base.positions, base.byteOrder)) {
    const module = modules[index];
    if (module === undefined) continue;
    if (module.base !== undefined) numberOfBase[module.base] = ordered.length;
    ordered.push(module);
  }
  return { modules: ordered, numberOfBase, replaced, overridden, shadowed, excluded };
}

/** @throws {ModuleError} `LIMIT_EXCEEDED` for more modules than depmod can count. */
export function checkCount(modules: number): void {
  if (modules <= MAX_MODULES) return;
  throw new ModuleError('LIMIT_EXCEEDED', `Cannot index ${modules} modules: depmod counts in 16 bits`, {
    hint: `Add fewer modules: the tree may hold ${MAX_MODULES}.`,
  });
}

/** Paths become words of text indexes and keys of binary ones, and depmod must take the file for a module. */
export function checkPath(path: string): void {
  const isPlain = /^[\x21-\x7e]+$/.test(path) && !path.includes(':') && !path.startsWith('#');
  const parts = path.split('/');
  const isBelow = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (isPlain && isBelow && /^[^.]+.*\.ko(\.gz|\.xz|\.zst)?$/.test(parts.at(-1) ?? '')) return;
  throw new ModuleError('NAME_MISMATCH', `Cannot index ${JSON.stringify(path)}: it is not a module's path`, {
    hint: "Give a path below the kernel's module directory that ends in .ko, .ko.xz, .ko.zst or .ko.gz, for instance extra/ice/ice.ko.",
  });
}

/** Another configuration, or a depmod before version 30, which does not know `exclude`. */
function contradicted(): ModuleError {
  return new ModuleError(
    'INDEX_UNSUPPORTED',
    "Cannot merge into the base's indexes: they list modules that an exclude line of depmod.d hides",
    {
      hint: 'Give the depmod.d that the indexes were made with, without exclude lines for a kmod before version 30.',
    },
  );
}

/** One path cannot have two files. */
export function duplicatePath(path: string): ModuleError {
  return new ModuleError('DUPLICATE_MODULE', `Cannot add ${path}: it is given twice`, {
    hint: 'Give each file once.',
  });
}
