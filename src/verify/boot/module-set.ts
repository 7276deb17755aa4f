import { parseDependencies } from '../../kmod/depmod/dependencies-file.ts';

/** What says which modules belong together. */
export interface ModuleIndexes {
  /** Index files of the kernel by name, for instance `modules.dep`. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** Texts of modprobe.d. */
  readonly configurations: readonly string[];
}

export interface ModuleSet {
  /** Below the kernel's module directory, sorted. */
  readonly paths: readonly string[];
  /** Names for which there is no module, and which are not built in. */
  readonly unknown: readonly string[];
}

/**
 * The files of modules, of all that they depend on, and of what is loaded with them by soft dependencies, of which those
 * that are not there are no error.
 *
 * @param names As the kernel spells them.
 * @throws {ModuleError} `INDEX_INVALID`, `LIMIT_EXCEEDED` for a `modules.dep` that no depmod wrote.
 */
export function selectModules(tree: ModuleIndexes, names: readonly string[]): ModuleSet {
  const dependencies = parseDependencies(Buffer.from(tree.indexes.get('modules.dep') ?? []));
  const companions = readCompanions(tree);
  const aliases = textOf(tree, 'modules.alias');
  const numbers = new Set<number>();
  const seen = new Set<string>();
  const unknown: string[] = [];
  const pending = names.map((name) => ({ name, isAsked: true }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { name, isAsked } = next;
    if (seen.has(name)) continue;
    seen.add(name);
    const own = dependencies.numberOfName.get(name);
    if (own === undefined) {
      if (isAsked && !isBuiltIn(tree, name)) unknown.push(name);
      for (const module of modulesOfAlias(aliases, name)) pending.push({ name: module, isAsked: false });
      continue;
    }
    numbers.add(own);
    const needed = (dependencies.closures[own] ?? []).map((number) => dependencies.names[number] ?? '');
    for (const other of [...needed, ...(companions.get(name) ?? [])])
      pending.push({ name: other, isAsked: false });
  }
  return {
    paths: [...numbers].map((number) => dependencies.paths[number] ?? '').sort(),
    unknown: unknown.sort(),
  };
}

/** Says whether the kernel has a module built in, as `modules.builtin` lists it. */
export function isBuiltIn(tree: Pick<ModuleIndexes, 'indexes'>, name: string): boolean {
  return textOf(tree, 'modules.builtin')
    .split('\n')
    .some((path) => plainName(path.slice(path.lastIndexOf('/') + 1).replace(/\.ko.*$/, '')) === name);
}

/** Soft and weak dependencies by module, from the indexes and from modprobe.d. */
function readCompanions(tree: ModuleIndexes): ReadonlyMap<string, readonly string[]> {
  const companions = new Map<string, string[]>();
  const texts = [textOf(tree, 'modules.softdep'), textOf(tree, 'modules.weakdep'), ...tree.configurations];
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [verb, module = '', ...words] = line.trim().split(/\s+/);
    if (verb !== 'softdep' && verb !== 'weakdep') continue;
    const others = words.filter((word) => word !== '' && !/^(?:pre|post):$/.test(word)).map(plainName);
    const name = plainName(module);
    companions.set(name, [...(companions.get(name) ?? []), ...others]);
  }
  return companions;
}

/** Modules that have a name as an alias, letter for letter: soft dependencies are not written with wildcards. */
function modulesOfAlias(aliases: string, name: string): readonly string[] {
  const found: string[] = [];
  for (const spelling of new Set([name, name.replaceAll('_', '-')])) {
    const start = `alias ${spelling} `;
    for (let at = aliases.indexOf(start); at >= 0; at = aliases.indexOf(start, at + 1)) {
      const end = aliases.indexOf('\n', at);
      if (at === 0 || aliases[at - 1] === '\n')
        found.push(plainName(aliases.slice(at + start.length, end < 0 ? undefined : end)));
    }
  }
  return found;
}

function textOf({ indexes }: Pick<ModuleIndexes, 'indexes'>, name: string): string {
  return Buffer.from(indexes.get(name) ?? []).toString('latin1');
}

function plainName(name: string): string {
  return name.replaceAll('-', '_');
}
