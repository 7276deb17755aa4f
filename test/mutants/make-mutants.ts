import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { DebianKernel } from '../support/kernels.ts';
import { ModuleEditor } from './module-editor.ts';
import type { Mutant, SourceModule } from './mutant.ts';
import { MutantKeys, withoutSignature } from './mutant-keys.ts';

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, 'source');

/** In the order in which they are loaded. */
export const PROVIDERS = ['mu_provider', 'mu_secret'] as const;

/** A mutant's file for one kernel. */
export interface MadeMutant {
  readonly mutant: Mutant;
  readonly fileName: string;
  readonly bytes: Buffer;
}

export interface MadeMutants {
  readonly mutants: readonly MadeMutant[];
  /** What the mutants were made of, without signatures. */
  readonly sources: ReadonlyMap<SourceModule, Buffer>;
  /** Modules that the mutants import from, to be loaded before them in this order; signed. */
  readonly providers: readonly Buffer[];
}

export interface MakeOptions {
  readonly kernel: DebianKernel;
  readonly mutants: readonly Mutant[];
  /** Where `MutantKeys.make` put the keys. */
  readonly keys: string;
  /** A directory for what is made on the way. */
  readonly directory: string;
}

/** Compiles the sources for a kernel and makes the mutants of them. */
export async function makeMutants({ kernel, mutants, keys, directory }: MakeOptions): Promise<MadeMutants> {
  const kernelModule = await readKernelModule(kernel);
  const compiled = await compileSources(kernel, directory);
  const sources = new Map([...compiled, ['dummy', withoutSignature(kernelModule)] as const]);
  const tools = new MutantKeys({ directory: keys, signFile: kernel.signFile, kernelModule });
  const sourceOf = (name: SourceModule): Buffer => sources.get(name) ?? Buffer.alloc(0);

  const made: MadeMutant[] = [];
  for (const mutant of mutants) {
    const { of, edit, fileName = `${of}.ko` } = mutant;
    const editor = new ModuleEditor(sourceOf(of));
    edit?.(editor);
    const bytes = await (mutant.seal?.(editor.bytes, tools) ?? tools.sign(editor.bytes));
    made.push({ mutant, fileName, bytes });
  }
  const providers = await Promise.all(PROVIDERS.map((name) => tools.sign(sourceOf(name))));
  return { mutants: made, sources, providers };
}

/** Compiles the modules and strips them of debug information, as drivers are shipped. */
async function compileSources(
  kernel: DebianKernel,
  directory: string,
): Promise<readonly (readonly [SourceModule, Buffer])[]> {
  const place = await mkdtemp(join(directory, 'source-'));
  await cp(SOURCE, place, { recursive: true });
  const headers = dirname(kernel.symvers);
  const common = (await readdir(dirname(headers))).find((name) => /-common(-rt)?$/.test(name));
  // Debian's Makefile of a flavour includes the common one by its absolute path, where it is not.
  const makefile = join(dirname(headers), common ?? '', 'Makefile');
  // Kernels' scripts since 6.12 call pahole before they see that there is no vmlinux to make BTF from.
  const options = ['-s', '-C', headers, '-f', makefile, `M=${place}`, 'CONFIG_DEBUG_INFO_BTF_MODULES='];
  await run('make', [...options, 'modules'], { maxBuffer: 2 ** 24 });
  const files = (await readdir(place)).filter((name) => name.endsWith('.ko'));
  await run('strip', ['--strip-debug', ...files.map((name) => join(place, name))]);
  const modules = files.map(
    async (name) => [basename(name, '.ko') as SourceModule, await readFile(join(place, name))] as const,
  );
  return Promise.all(modules);
}

async function readKernelModule(kernel: DebianKernel): Promise<Buffer> {
  const paths = await readdir(kernel.modules, { recursive: true });
  const path = paths.find((path) => /^dummy\.ko(\.xz)?$/.test(basename(path)));
  if (path === undefined) throw new Error(`${kernel.release} has no module dummy`);
  const file = join(kernel.modules, path);
  if (!path.endsWith('.xz')) return readFile(file);
  const { stdout } = await run('xz', ['-dc', file], { encoding: 'buffer', maxBuffer: 2 ** 26 });
  return stdout;
}
