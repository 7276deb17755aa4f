import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import { type DepmodConfig, type DepmodFile, parseDepmodConfig } from '../src/kmod/depmod/config.ts';
import { reasonOf } from './io/read-input.ts';

/** Where depmod looks, the most important first. */
const CONFIG_DIRECTORIES = [
  'etc/depmod.d',
  'run/depmod.d',
  'usr/local/lib/depmod.d',
  'usr/lib/depmod.d',
  'lib/depmod.d',
];

/** The depmod.d files of a system, below its root. */
export async function readSystemConfig(root: string): Promise<DepmodConfig> {
  const files: DepmodFile[] = [];
  for (const directory of CONFIG_DIRECTORIES) {
    files.push(...(await readDirectory(join(root, directory), directory)));
  }
  return parseDepmodConfig(files);
}

/**
 * The files and directories that take the place of the system's, as `depmod -C` has it: of two files with one name the
 * first counts.
 *
 * @throws {SpecError} `SPEC_UNREADABLE`.
 */
export async function readNamedConfig(paths: readonly string[], cwd: string): Promise<DepmodConfig> {
  const files: DepmodFile[] = [];
  for (const path of paths) {
    const full = resolve(cwd, path);
    try {
      if ((await stat(full)).isDirectory()) files.push(...(await readDirectory(full, full)));
      else files.push({ directory: undefined, name: basename(full), text: await readFile(full, 'latin1') });
    } catch (error) {
      throw new SpecError('SPEC_UNREADABLE', `Cannot read ${path}: ${reasonOf(error)}`, {
        cause: error,
        hint: 'Name a file in the format of depmod.d, or a directory of files that end in .conf.',
      });
    }
  }
  return parseDepmodConfig(files);
}

async function readDirectory(path: string, directory: string): Promise<readonly DepmodFile[]> {
  const names = await readdir(path).catch(() => []);
  const wanted = names.filter((name) => name.endsWith('.conf'));
  return Promise.all(
    wanted.map(async (name) => ({ directory, name, text: await readFile(join(path, name), 'latin1') })),
  );
}
