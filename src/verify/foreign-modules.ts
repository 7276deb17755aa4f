import { ModuleError } from '../errors.ts';
import { decompressModule } from '../kmod/compression.ts';
import type { AddedModule } from '../kmod/depmod/select-modules.ts';
import { readModule } from '../kmod/read-module.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import type { ModuleReport, OverrideReport } from './report.ts';
import type { TreeModule, TreeReport } from './verify-tree.ts';

/** A module that is not in the tree of the kernel that shall load it: in a kmod image, or a file. */
export interface ForeignModule {
  /** As reports name it. */
  readonly name: string;
  /** File name, for instance `ice.ko.xz`. */
  readonly fileName: string;
  /** As the file holds them, compressed or not. */
  readonly bytes: Uint8Array;
}

/** Modules put where they win against the kernel's own, so that they are proven as what will be loaded. */
export interface PlacedModules {
  /** What the indexes are made with; files that are no modules are left out. */
  readonly added: readonly AddedModule[];
  readonly modules: readonly TreeModule[];
  /** Bytes of the files by path below the kernel's module directory. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The report with the names that the modules came with. */
  readonly named: (report: TreeReport) => TreeReport;
}

/** Every search order prefers this directory to the kernel's own. */
const DIRECTORY = 'updates/kmodlayer';

/**
 * Places modules below `updates`. Of files with one name only the first is placed.
 *
 * @throws {ModuleError} `DUPLICATE_MODULE` when two files are modules of one name.
 */
export async function placeModules(modules: readonly ForeignModule[]): Promise<PlacedModules> {
  const names = new Map<string, string>();
  const taken = new Map<string, string>();
  const added: AddedModule[] = [];
  const placed: TreeModule[] = [];
  const files = new Map<string, Uint8Array>();
  for (const { name, fileName, bytes } of modules) {
    const path = `${DIRECTORY}/${fileName}`;
    const moduleName = moduleNameOfPath(fileName);
    const other = taken.get(moduleName);
    if (other !== undefined) {
      throw new ModuleError('DUPLICATE_MODULE', `Cannot verify ${name} beside ${other}: both have one name`, {
        hint: 'Verify them one after the other.',
      });
    }
    taken.set(moduleName, name);
    names.set(path, name);
    files.set(path, bytes);
    placed.push({ path, read: () => Promise.resolve(bytes) });
    const module = await tryRead(bytes);
    if (module !== undefined) added.push({ path, module });
  }
  const nameOf = (path: string): string => names.get(path) ?? path;
  return {
    added,
    modules: placed,
    files,
    named: ({ modules: reports, overrides }) => ({
      modules: reports.map((report): ModuleReport => ({
        ...report,
        path: nameOf(report.path),
        dependencies: report.dependencies.map(nameOf),
        symbols: report.symbols.map((use) =>
          use.provider === undefined ? use : { ...use, provider: nameOf(use.provider) },
        ),
        checks: report.checks.map((check) => ({
          ...check,
          ...(check.provider === undefined ? {} : { provider: nameOf(check.provider) }),
          ...(check.details === undefined
            ? {}
            : {
                details: check.details.map((detail) => ({
                  ...detail,
                  subject: nameOf(detail.subject),
                  ...(detail.provider === undefined ? {} : { provider: nameOf(detail.provider) }),
                })),
              }),
        })),
      })),
      overrides: overrides.map((override): OverrideReport => ({
        ...override,
        winner: nameOf(override.winner),
      })),
    }),
  };
}

/** Modules that were placed, and the indexes that name them, by path in the root of the system that loads them. */
export function addedFiles(
  kernel: KernelRelease,
  { files }: Pick<PlacedModules, 'files'>,
  indexes: ReadonlyMap<string, Uint8Array> | undefined,
): ReadonlyMap<string, Uint8Array> {
  const directory = `usr/lib/modules/${kernel}/`;
  return new Map([...files, ...(indexes ?? [])].map(([path, bytes]) => [directory + path, bytes]));
}

async function tryRead(bytes: Uint8Array): Promise<AddedModule['module'] | undefined> {
  try {
    return readModule(await decompressModule(bytes));
  } catch (error) {
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
}
