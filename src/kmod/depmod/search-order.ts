import { ModuleError } from '../../errors.ts';
import type { KernelConfig } from './config.ts';
import { moduleName, moduleStem } from './names.ts';

/** Directories that depmod never enters. */
const NEVER_SEARCHED = ['build', 'source'];

/**
 * The file that depmod takes among files of one module, whatever the order in which it meets them.
 *
 * @throws {ModuleError} `DUPLICATE_MODULE` when that order, which is the file system's, would decide.
 */
export function chooseFile(paths: readonly string[], config: KernelConfig): string {
  for (const path of paths) {
    const wins = paths.every(
      (other) => other === path || (replaces(other, path, config) && !replaces(path, other, config)),
    );
    if (wins) return path;
  }
  const name = moduleName(paths[0] ?? '');
  throw new ModuleError(
    'DUPLICATE_MODULE',
    `Cannot choose a file for the module ${name}: ${paths.join(' and ')} have the same priority`,
    {
      hint: 'The file system would decide; put the module below a directory that comes first in depmod.d, such as extra or updates, and only once.',
    },
  );
}

/** Says whether depmod looks at a file at all. */
export function isSearched(path: string, config: KernelConfig): boolean {
  return !path.split('/').some((part) => NEVER_SEARCHED.includes(part) || config.excludes.includes(part));
}

/**
 * Says whether depmod, which has `existing`, takes `next` in its place when it meets it later.
 *
 * @see kmod, `tools/depmod.c`, `depmod_module_is_higher_priority()`, with its slip: of two files below one search
 * directory only the next one gets that directory's priority.
 */
function replaces(existing: string, next: string, config: KernelConfig): boolean {
  const existingStem = relativeStem(existing);
  const nextStem = relativeStem(next);
  for (const override of config.overrides) {
    if (nextStem === override) return true;
    if (existingStem === override) return false;
  }
  let builtIn = -1;
  let existingPriority = -1;
  let nextPriority = -1;
  let priority = 0;
  for (const entry of [...config.search].reverse()) {
    if (entry.kind === 'built-in') {
      builtIn = priority;
    } else if (entry.kind === 'directory') {
      if (nextStem.startsWith(`${entry.path}/`)) nextPriority = priority;
      else if (existingStem.startsWith(`${entry.path}/`)) existingPriority = priority;
    } else {
      for (const directory of config.externals) {
        if (absoluteStem(next, config).startsWith(`${directory}/`)) nextPriority = priority;
        if (absoluteStem(existing, config).startsWith(`${directory}/`)) existingPriority = priority;
        priority++;
      }
    }
    priority++;
  }
  if (nextPriority < 0) nextPriority = builtIn;
  if (existingPriority < 0) existingPriority = builtIn;
  return nextPriority > existingPriority;
}

/** Empty for a module outside of the kernel's directory: no override and no search directory can name it. */
function relativeStem(path: string): string {
  return path.startsWith('/') ? '' : moduleStem(path);
}

function absoluteStem(path: string, config: KernelConfig): string {
  return path.startsWith('/') ? moduleStem(path) : `${config.moduleDirectory}/${moduleStem(path)}`;
}
