import { ModuleError } from '../../errors.ts';
import { moduleName } from './names.ts';

/** depmod counts modules in 16 bits. */
export const MAX_MODULES = 65_534;
/** Most words of dependencies in a `modules.dep`; the largest kernels have some ten thousand. */
const MAX_DEPENDENCIES = 1_000_000;

/** What `modules.dep` says, by number of line: the number is also the module's priority in the binary indexes. */
export interface Dependencies {
  readonly paths: readonly string[];
  readonly names: readonly string[];
  readonly numberOfName: ReadonlyMap<string, number>;
  /** All modules that each one needs, directly or not, in the order of its line. */
  readonly closures: readonly (readonly number[])[];
}

/** The modules that `modules.dep` names; what each needs is read when it is asked for. */
export interface DependencyLines extends Omit<Dependencies, 'closures'> {
  readonly numberOfPath: ReadonlyMap<string, number>;
  /**
   * Paths of all modules that the one of a line needs, in their order.
   *
   * @throws {ModuleError} `INDEX_INVALID` for a line that depmod does not write.
   */
  readonly needsOf: (number: number) => readonly string[];
}

const NONE: readonly number[] = [];

/**
 * Parses `modules.dep`.
 *
 * @throws {ModuleError} `INDEX_INVALID` for lines that depmod does not write; `LIMIT_EXCEEDED` for more modules than
 * depmod can count.
 */
export function parseDependencies(text: Buffer): Dependencies {
  const { paths, names, numberOfName, numberOfPath, needsOf } = parseDependencyLines(text);
  let total = 0;
  const closures = paths.map((_, number) => {
    const needs = needsOf(number);
    if (needs.length === 0) return NONE;
    total += needs.length;
    if (total > MAX_DEPENDENCIES) throw invalid(`line ${number + 1} is damaged`);
    return needs.map((need) => numberOfPath.get(need) ?? 0);
  });
  return { paths, names, numberOfName, closures };
}

/**
 * Parses the first words of `modules.dep`.
 *
 * @throws {ModuleError} as `parseDependencies` does, but for what stands behind the first words.
 */
export function parseDependencyLines(text: Buffer): DependencyLines {
  const lines = text.toString('latin1', 0, text.length).split('\n');
  if (lines.pop() !== '') throw invalid('its last line has no end');
  if (lines.length > MAX_MODULES) {
    throw new ModuleError('LIMIT_EXCEEDED', `Cannot read modules.dep: it has ${lines.length} modules`, {
      hint: `depmod itself stops at ${MAX_MODULES}; the file is not what it seems.`,
    });
  }
  const paths: string[] = [];
  const names: string[] = [];
  const numberOfPath = new Map<string, number>();
  const numberOfName = new Map<string, number>();
  for (const [number, line] of lines.entries()) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw invalid(`line ${number + 1} names no module`);
    const path = line.slice(0, colon);
    const name = moduleName(path);
    if (name === '' || numberOfName.has(name)) throw invalid(`line ${number + 1} repeats a module`);
    paths.push(path);
    names.push(name);
    numberOfPath.set(path, number);
    numberOfName.set(name, number);
  }
  const needsOf = (number: number): readonly string[] => {
    const line = lines[number] ?? '';
    const start = (paths[number] ?? '').length + 1;
    if (start >= line.length) return [];
    if (line[start] !== ' ') throw invalid(`line ${number + 1} is damaged`);
    const words = line.slice(start + 1).split(' ');
    if (!words.every((word) => numberOfPath.has(word))) {
      throw invalid(`line ${number + 1} needs a module that has no line`);
    }
    return words;
  };
  return { paths, names, numberOfName, numberOfPath, needsOf };
}

/** The lines of `modules.dep`, without their newlines. `needs[i]` are the numbers of all that module i needs. */
export function toDependencyLines(
  paths: readonly string[],
  needs: readonly (readonly number[])[],
): readonly string[] {
  return paths.map((path, number) => {
    let line = `${path}:`;
    for (const need of needs[number] ?? NONE) line += ` ${paths[need] ?? ''}`;
    return line;
  });
}

function invalid(why: string): ModuleError {
  return new ModuleError('INDEX_INVALID', `Cannot read modules.dep: ${why}`, {
    hint: 'Take the index from the image again, or compute all indexes anew with --full.',
  });
}
