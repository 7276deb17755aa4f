import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { readModule } from '../src/kmod/read-module.ts';
import {
  type InitramfsFacts,
  readBaseInitramfs,
  readInitramfsFacts,
} from '../src/layer/initramfs/base-initramfs.ts';
import { type ArchiveTree, makeArchive } from '../src/layer/initramfs/make-archive.ts';
import { readBase, readBaseModules } from '../src/layer/base.ts';
import { mergeWithBase } from '../src/layer/merge-base.ts';
import type { PlacedDriver, PlacedModule } from '../src/layer/place.ts';
import { type Arch, findArch } from '../src/oci/arch.ts';
import { osKernel } from '../src/resolve/os-kernel.ts';
import type { KernelRelease } from '../src/spec/kernel-release.ts';
import { moduleNameOfPath } from '../src/spec/module-name.ts';
import { requireBuiltFor } from '../src/verify/require-loadable.ts';
import { mergeIntoDirectory, openBaseDirectory } from './base-directory.ts';
import type { InitrdFlags } from './commands/initrd.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { readInput, reasonOf } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { makeIo } from './make-io.ts';
import { openNamedImage } from './open-named-image.ts';
import { printResult } from './report/output.ts';
import { formatSize } from './report/sizes.ts';
import { formatFields } from './report/table.ts';

/** Names the modules' configuration in the archive. */
const DRIVER = 'initrd';

/** Where the archive goes: the kernel, its modules, and the initramfs before it. */
interface Base {
  readonly kernel: KernelRelease;
  readonly arch: Arch | undefined;
  readonly tree: (added: Added) => Promise<ArchiveTree>;
  readonly initramfs: () => Promise<InitramfsFacts>;
}

type Added = readonly { readonly path: string; readonly module: ReturnType<typeof readModule> }[];

/**
 * Writes the archive that brings modules into an initramfs.
 *
 * @throws {SpecError} `USAGE`, `SPEC_UNREADABLE`; {ModuleError} for modules of another kernel; as `makeArchive` does.
 */
export async function runInitrd(
  names: readonly string[],
  flags: InitrdFlags,
  context: CliContext,
): Promise<void> {
  const [first = '', ...others] = names;
  const files = flags.base === undefined ? others : names;
  if (files.length === 0) {
    throw new SpecError('USAGE', 'Cannot make an archive without modules', {
      hint: 'Name the OS image and then the modules: initrd IMAGE FILE.ko... --out FILE.',
    });
  }
  const io = await makeIo(context, flags);
  const base =
    flags.base === undefined ? await ofImage(first, flags, io, context) : ofDirectory(flags, context);
  const placed: PlacedModule[] = [];
  const added: Added[number][] = [];
  for (const file of files) {
    const bytes = await decompressModule(await readInput(makeFiles(context.cwd), file));
    const module = readModule(bytes);
    const fileName = basename(file).replace(/\.(?:gz|xz|zst)$/, '');
    requireBuiltFor({ fileName, module, kernel: base.kernel, arch: base.arch ?? module.arch ?? 'x86_64' });
    placed.push({
      ...{ name: moduleNameOfPath(fileName), fileName, bytes, replaces: [], parameters: {} },
      autoload: flags.autoload,
      initramfs: true,
    });
    added.push({ path: pathOf(DRIVER, fileName), module });
  }
  const driver: PlacedDriver = { name: DRIVER, modules: placed, softdeps: [], firmware: [] };
  const { bytes, modules, overridden } = await makeArchive({
    kernel: base.kernel,
    drivers: [driver],
    initramfs: await base.initramfs(),
    tree: await base.tree(added),
  });
  const written = flags.compress === 'gzip' ? gzipSync(bytes, { level: 9 }) : bytes;
  const out = resolve(context.cwd, flags.out);
  await writeOutput(out, written);
  await printResult(context, flags.output, {
    verb: 'initrd',
    data: { kernel: base.kernel, file: out, sizeBytes: written.length, modules, overridden },
    text: () =>
      formatFields([
        ['archive', `${out} (${formatSize(written.length)})`],
        ['kernel', base.kernel],
        ...modules.map((path) => ['module', path] as const),
        ...overridden.map(({ winner, loser }) => ['replaces', `${loser} (by ${winner})`] as const),
      ]),
  });
}

function pathOf(driver: string, fileName: string): string {
  return `updates/${driver}/${fileName}`;
}

async function ofImage(name: string, flags: InitrdFlags, io: Io, context: CliContext): Promise<Base> {
  const { image } = await openNamedImage(name, flags.arch, io);
  const arch = flags.arch ?? findArch(image.config.architecture);
  if (arch === undefined)
    throw new SpecError('USAGE', `Cannot use ${name}: OpenShift does not run on its architecture`);
  const kernel = flags.kernel ?? (await osKernel(image, arch, io)).release;
  const readModules = (paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> =>
    readBaseModules(image, { kernel, paths }, io);
  return {
    kernel,
    arch,
    tree: async (added) => {
      const base = await readBase(image, kernel, io);
      const merged = await mergeWithBase({ image, base, kernel, added, ownConfig: new Map() }, io);
      return { indexes: new Map([...base.indexes, ...merged.files]), pathOf, readModules };
    },
    initramfs: () =>
      flags.initramfs === undefined
        ? readBaseInitramfs(image, kernel, io)
        : readFile(resolve(context.cwd, flags.initramfs), kernel),
  };
}

function ofDirectory(flags: InitrdFlags, context: CliContext): Base {
  const { kernel, base } = flags;
  if (kernel === undefined || base === undefined) {
    throw new SpecError('USAGE', 'Cannot tell which kernel of the directory is meant', {
      hint: 'Say it with --kernel RELEASE.',
    });
  }
  const root = resolve(context.cwd, base);
  return {
    kernel,
    arch: flags.arch,
    tree: async (added) => {
      const opened = await openBaseDirectory(root, kernel);
      const merged = await mergeIntoDirectory(opened, added, kernel);
      const readModules = async (paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> =>
        new Map(
          await Promise.all(
            paths.map(async (path) => [path, await readInput(makeFiles(opened.directory), path)] as const),
          ),
        );
      return { indexes: new Map([...opened.indexes, ...merged.files]), pathOf, readModules };
    },
    initramfs: async () =>
      readFile(
        flags.initramfs === undefined
          ? await findInitramfs(root, kernel)
          : resolve(context.cwd, flags.initramfs),
        kernel,
      ),
  };
}

/** Where systems keep the initramfs of a kernel. */
async function findInitramfs(root: string, kernel: KernelRelease): Promise<string> {
  const places = [
    `usr/lib/modules/${kernel}/initramfs.img`,
    `boot/initramfs-${kernel}.img`,
    `boot/initrd.img-${kernel}`,
  ];
  for (const place of places) {
    const file = join(root, place);
    if (
      await stat(file).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  throw new SpecError('USAGE', `Cannot find the initramfs of ${kernel} in ${root}`, {
    hint: 'Name it with --initramfs FILE.',
  });
}

async function readFile(file: string, kernel: KernelRelease): Promise<InitramfsFacts> {
  try {
    return await readInitramfsFacts(createReadStream(file), kernel);
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw new SpecError('SPEC_UNREADABLE', `Cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
