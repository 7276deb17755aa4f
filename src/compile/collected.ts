import { CompileError } from '../errors.ts';
import type { Report } from '../events.ts';
import { moduleNameOfPath, type ModuleName } from '../spec/module-name.ts';
import type { CompiledDriver, CompiledModule, CompileRequest } from './compile.ts';

/** The files that a build left. */
export interface Collected {
  /** Relative paths. */
  readonly files: readonly string[];
  readonly read: (path: string) => Promise<Uint8Array>;
  readonly report: Report;
  /** Directory in which modules lie, with its slash. */
  readonly directory?: string;
}

/** Names that a message lists at most. */
const SHOWN = 20;

/**
 * The modules that the spec names, in its order.
 *
 * @throws {CompileError} `MODULE_MISSING` with what was found instead, `COMPILE_FAILED` when files of one module differ.
 */
export async function collectModules(
  { driver, kernel }: Pick<CompileRequest, 'driver' | 'kernel'>,
  { files, read, report, directory = 'modules/' }: Collected,
): Promise<readonly CompiledModule[]> {
  const paths = files.filter((path) => path.startsWith(directory) && /\.ko(?:\.(?:xz|gz|zst))?$/.test(path));
  const modules: CompiledModule[] = [];
  const missing: ModuleName[] = [];
  for (const { name } of driver.modules) {
    const candidates = paths.filter((path) => moduleNameOfPath(path) === name);
    if (candidates.length === 0) missing.push(name);
    else modules.push({ name, ...(await chooseFile(name, preferInstalled(candidates, kernel), read)) });
  }
  const found = directory === '' ? paths : await foundPaths(files, read);
  if (missing.length > 0) throw missingModules(driver.name, missing, found);

  const wanted = new Set<string>(driver.modules.map(({ name }) => name));
  const extra = [...new Set(found.map(moduleNameOfPath))].filter((name) => !wanted.has(name));
  if (extra.length > 0) {
    report({
      type: 'detail',
      message: `${driver.name} also makes ${shorten(extra)}, which the spec does not name`,
    });
  }
  return modules;
}

/** What a build installed for this kernel is what its maker meant to ship; the same module in the source tree is not. */
function preferInstalled(paths: readonly string[], kernel: string): readonly string[] {
  const installed = paths.filter((path) => path.includes(`lib/modules/${kernel}/`));
  return installed.length > 0 ? installed : paths;
}

async function chooseFile(
  name: ModuleName,
  paths: readonly string[],
  read: Collected['read'],
): Promise<{ readonly fileName: string; readonly bytes: Uint8Array }> {
  const [first = '', ...others] = paths;
  const bytes = await read(first);
  for (const other of others) {
    if (Buffer.compare(bytes, await read(other)) === 0) continue;
    throw new CompileError(
      'COMPILE_FAILED',
      `Cannot tell which file is the module ${name}: ${shorten(paths)}`,
      {
        hint: 'Name the directory of the right one with "build.output".',
      },
    );
  }
  return { fileName: first.slice(first.lastIndexOf('/') + 1), bytes };
}

async function foundPaths(files: readonly string[], read: Collected['read']): Promise<readonly string[]> {
  if (!files.includes('found.txt')) return [];
  const text = Buffer.from(await read('found.txt')).toString('utf8');
  return text.split('\n').filter((line) => line !== '');
}

function missingModules(driver: string, missing: readonly string[], found: readonly string[]): CompileError {
  const what = missing.length === 1 ? 'module' : 'modules';
  const state = found.length === 0 ? 'there are no modules at all' : `there are ${shorten(found)}`;
  return new CompileError(
    'MODULE_MISSING',
    `Cannot find ${what} ${missing.join(', ')} among what ${driver} built: ${state}`,
    { hint: 'Write under "modules" the names that lsmod shows, and check that the build makes them.' },
  );
}

function shorten(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  return names.slice(0, SHOWN).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/**
 * The symbols that a driver exports: all its `Module.symvers`, each line once.
 *
 * @returns undefined when there is none.
 */
export async function mergeSymvers(
  files: readonly string[],
  read: Collected['read'],
): Promise<string | undefined> {
  const lines = new Set<string>();
  for (const path of files.filter((file) => file.startsWith('symvers/'))) {
    const text = Buffer.from(await read(path)).toString('utf8');
    for (const line of text.split('\n')) if (line !== '') lines.add(line);
  }
  return lines.size === 0 ? undefined : [...lines].map((line) => `${line}\n`).join('');
}

/** `Module.symvers` of drivers by their names, for one that needs them; those that export nothing are left out. */
export function symversOf(
  drivers: readonly Pick<CompiledDriver, 'driver' | 'symvers'>[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    drivers.flatMap(({ driver, symvers }) => (symvers === undefined ? [] : [[driver, symvers]])),
  );
}
