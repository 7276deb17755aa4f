import { parseDependencies } from '../../kmod/depmod/dependencies-file.ts';

/** What says which modules belong together. */
export interface ModuleIndexes {
  /** Index files of the kernel by name, for instance `modules.dep`. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** Texts of modprobe.d. */
  readonly configurations: readonly string[];
}

/**
 * The files of modules, of all that they depend on, and of what is loaded with them by soft dependencies: paths below the
 * kernel's module directory, sorted. Names that the indexes do not have are passed over.
 *
 * @param names As the kernel spells them.
 * @throws {ModuleError} `INDEX_INVALID`, `LIMIT_EXCEEDED` for a `modules.dep` that no depmod wrote.
 */
export function selectModules(tree: ModuleIndexes, names: readonly string[]): readonly string[] {
  const dep = tree.indexes.get('modules.dep');
  if (dep === undefined) return [];
  const dependencies = parseDependencies(Buffer.from(dep));
  const companions = readCompanions(tree);
  const aliases = textOf(tree, 'modules.alias');
  const numbers = new Set<number>();
  const seen = new Set<string>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const own = dependencies.numberOfName.get(name);
    if (own === undefined) {
      pending.push(...modulesOfAlias(aliases, name));
      continue;
    }
    numbers.add(own);
    const needed = (dependencies.closures[own] ?? []).map((number) => dependencies.names[number] ?? '');
    pending.push(...needed, ...(companions.get(name) ?? []));
  }
  return [...numbers].map((number) => dependencies.paths[number] ?? '').sort();
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
