import { type Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ModuleError, SpecError } from '../src/errors.ts';
import { isSearched } from '../src/kmod/depmod/search-order.ts';
import type { KernelConfig } from '../src/kmod/depmod/config.ts';
import { reasonOf } from './io/read-input.ts';

/** A module's file. */
export interface ModuleFile {
  /** As `modules.dep` has it: below the kernel's directory, or absolute outside of it. */
  readonly path: string;
  readonly file: string;
}

const MODULE = /.\.ko(?:\.(?:gz|xz|zst))?$/;

/**
 * The modules that depmod meets: those of the kernel's directory and of directories that `external` lines name. Links
 * are followed wherever they lead, as depmod does; dead ones are passed over.
 *
 * @throws {SpecError} `SPEC_UNREADABLE` for a directory that cannot be read; {ModuleError} `INDEX_UNSUPPORTED` when links
 * lead in a circle.
 */
export async function listModuleFiles(
  directory: string,
  config: KernelConfig,
): Promise<readonly ModuleFile[]> {
  const found: ModuleFile[] = [];
  await walk({ directory, path: '', trail: [], config }, found);
  for (const external of config.externals) {
    const isThere = await stat(external).then(
      (status) => status.isDirectory(),
      () => false,
    );
    if (isThere) await walk({ directory: external, path: external, trail: [], config }, found);
  }
  return found;
}

interface Place {
  readonly directory: string;
  /** The directory as it stands in paths of modules; empty for the kernel's own. */
  readonly path: string;
  /** The directories that lead to it, without links. */
  readonly trail: readonly string[];
  readonly config: KernelConfig;
}

async function walk({ directory, path, trail, config }: Place, found: ModuleFile[]): Promise<void> {
  const real = await realpath(directory);
  if (trail.includes(real)) {
    throw new ModuleError('INDEX_UNSUPPORTED', `Cannot index ${directory}: its links lead in a circle`, {
      hint: 'Remove the link; depmod would follow it until the path is too long.',
    });
  }
  for (const entry of await readEntries(directory)) {
    if (!isSearched(entry.name, config)) continue;
    const file = join(directory, entry.name);
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    const kind = entry.isSymbolicLink() ? await stat(file).catch(() => undefined) : entry;
    if (kind?.isDirectory() === true) {
      await walk({ directory: file, path: below, trail: [...trail, real], config }, found);
    } else if (kind?.isFile() === true && MODULE.test(entry.name)) {
      found.push({ path: below, file });
    }
  }
}

async function readEntries(directory: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    throw new SpecError('SPEC_UNREADABLE', `Cannot read ${directory}: ${reasonOf(error)}`, {
      cause: error,
      hint: 'Check the path and who may read it.',
    });
  }
}
