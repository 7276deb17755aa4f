import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ModuleError } from '../../src/errors.ts';
import { decompressModule } from '../../src/kmod/compression.ts';
import type { Certificate } from '../../src/sign/certificate.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { type KernelFacts, readKernelFacts } from '../../src/verify/kernel-facts.ts';
import type { ModuleTree } from '../../src/verify/module-tree.ts';
import type { ModuleReport } from '../../src/verify/report.ts';
import { makeModuleTree, readTreeIndexes } from '../../src/verify/tree-indexes.ts';
import { examineModule, verifyModule } from '../../src/verify/verify-module.ts';
import { type DebianKernel, sampleModules } from '../support/kernels.ts';
import type { MadeMutant, MadeMutants } from './make-mutants.ts';

const run = promisify(execFile);

/** What the proof goes by. */
export interface Proof {
  readonly kernel: KernelFacts;
  /** The tree in which it finds a mutant. */
  readonly treeOf: (made: MadeMutant) => Promise<ModuleTree>;
}

/** @param directory Where trees are put for depmod. */
export async function prepareProof(
  kernel: DebianKernel,
  { sources }: Pick<MadeMutants, 'sources'>,
  directory: string,
): Promise<Proof> {
  const [anyModule = ''] = sampleModules(kernel, 1);
  const facts = await readKernelFacts({
    release: parseKernelRelease(kernel.release),
    arch: 'x86_64',
    symvers: await readFile(kernel.symvers),
    modules: [await readFile(anyModule)],
    config: await readFile(kernel.config),
  });
  const files = new Map<string, Buffer>([...sources].map(([name, bytes]) => [`${name}.ko`, bytes]));
  const subjects = [...files].flatMap(([name, bytes]) => {
    const { subject } = examineModule({ path: `extra/${name}`, bytes, kernel: facts });
    return subject === undefined ? [] : [subject];
  });
  const makeTree = async (chosen: ReadonlyMap<string, Buffer>): Promise<ModuleTree> => {
    const indexes = await runDepmod(kernel.release, chosen, directory);
    return makeModuleTree(readTreeIndexes(indexes), subjects, facts);
  };
  const usual = await makeTree(files);
  return {
    kernel: facts,
    treeOf: async ({ mutant, fileName, bytes }) => {
      const own = `${mutant.of}.ko`;
      if (fileName === own) return usual;
      return makeTree(
        new Map([...files].map(([name, file]) => (name === own ? [fileName, bytes] : [name, file]))),
      );
    },
  };
}

/** What depmod writes for a tree with some files below `extra`. */
async function runDepmod(
  release: string,
  files: ReadonlyMap<string, Buffer>,
  directory: string,
): Promise<ReadonlyMap<string, Buffer>> {
  const base = await mkdtemp(join(directory, 'tree-'));
  const modules = join(base, 'lib/modules', release);
  await mkdir(join(modules, 'extra'), { recursive: true });
  for (const [name, bytes] of files) await writeFile(join(modules, 'extra', name), bytes);
  await run('depmod', ['-b', base, release]);
  const indexes = new Map<string, Buffer>();
  for (const name of ['modules.dep', 'modules.symbols']) {
    indexes.set(name, await readFile(join(modules, name)));
  }
  await rm(base, { recursive: true });
  return indexes;
}

/** What the proof says of a mutant; undefined for a file that cannot even be unpacked. */
export async function prove(
  made: MadeMutant,
  { kernel, treeOf }: Proof,
  certificates: readonly Certificate[] | undefined,
): Promise<ModuleReport | undefined> {
  const { mutant, fileName, bytes } = made;
  try {
    return verifyModule({
      ...{ kernel, certificates, path: `extra/${fileName}`, parameters: mutant.parameters },
      bytes: await decompressModule(bytes),
      tree: await treeOf(made),
    });
  } catch (error) {
    if (error instanceof ModuleError && error.code === 'COMPRESSION_INVALID') return undefined;
    throw error;
  }
}
