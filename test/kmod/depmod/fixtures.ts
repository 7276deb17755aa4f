import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AddedModule } from '../../../src/kmod/depmod/select-modules.ts';
import { makeModule } from './make-module.ts';

const ROOT = join(import.meta.dirname, '../../../fixtures/depmod');

/** Kernel release of the fixtures' trees; nothing in them depends on it. */
export const KERNEL_RELEASE = '6.1.0-56-amd64';

export type KmodVersion = 'kmod-30' | 'kmod-34';

interface ModuleFacts {
  readonly path: string;
  readonly aliases: readonly string[];
  readonly softdeps: readonly string[];
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

/** All `modules.*` files of the tree without additions, as this depmod wrote them. */
export function baseIndexes(version: KmodVersion): Map<string, Buffer> {
  return new Map([...readFiles('kmod-30/base'), ...readFiles(`${version}/base`)]);
}

/** The files that this depmod changed when modules came to the tree. */
export function changedIndexes(version: KmodVersion, scenario: 'add' | 'override'): Map<string, Buffer> {
  return new Map([...readFiles(`kmod-30/${scenario}`), ...readFiles(`${version}/${scenario}`)]);
}

/** Modules of the trees below some directory. */
export function modulesBelow(directory: 'kernel' | 'extra' | 'updates'): readonly AddedModule[] {
  const facts = JSON.parse(readFileSync(join(ROOT, 'modules.json'), 'utf8')) as readonly ModuleFacts[];
  return facts
    .filter(({ path }) => path.startsWith(`${directory}/`))
    .map(({ path, ...shape }) => ({ path, module: makeModule(shape) }));
}

function readFiles(directory: string): readonly (readonly [string, Buffer])[] {
  return readdirSync(join(ROOT, directory)).map((name) => [name, readFileSync(join(ROOT, directory, name))]);
}
