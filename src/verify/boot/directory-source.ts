import type { Files } from '../../io.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import type { BootSource } from './boot-kit.ts';
import type { Root, RootNode } from './root.ts';

/** All that depmod writes or reads, of which a kernel has most. */
const INDEXES = ['dep', 'alias', 'symbols', 'softdep', 'weakdep', 'devname', 'order', 'builtin']
  .flatMap((name) => [`modules.${name}`, `modules.${name}.bin`])
  .concat('modules.builtin.alias.bin', 'modules.builtin.modinfo');

const CONFIGURATION = ['usr/lib/modprobe.d', 'usr/local/lib/modprobe.d', 'etc/modprobe.d'];

/** The root of an operating system in a directory; links lead nowhere outside of it. */
export function directoryRoot(directory: string, files: Files): Root {
  return {
    find: async (path): Promise<RootNode | undefined> => {
      const file = `${directory}/${path}`;
      const target = await files.readLink(file);
      if (target !== undefined) return { type: 'symlink', target };
      const bytes = await files.read(file).catch(() => undefined);
      return bytes === undefined ? undefined : { type: 'file', bytes };
    },
  };
}

/** What a directory with a module tree has for a boot. It may lack a userland, or a kernel. */
export async function readDirectorySource(
  directory: string,
  kernel: KernelRelease,
  files: Files,
): Promise<BootSource> {
  const read = (path: string): Promise<Uint8Array | undefined> =>
    files.read(`${directory}/${path}`).catch(() => undefined);
  // The last one: the directory holds the modules alone.
  const trees = [`usr/lib/modules/${kernel}`, `lib/modules/${kernel}`, '.'];
  const tree = (await firstWith(trees, (path) => read(`${path}/modules.dep`))) ?? trees[0] ?? '';
  const indexes = new Map<string, Uint8Array>();
  for (const name of INDEXES) {
    const bytes = await read(`${tree}/${name}`);
    if (bytes !== undefined) indexes.set(name, bytes);
  }
  const configuration = new Map<string, Uint8Array>();
  for (const place of CONFIGURATION) {
    for (const name of await files.list(`${directory}/${place}`).catch(() => [])) {
      const bytes =
        name.endsWith('.conf') && !name.includes('/') ? await read(`${place}/${name}`) : undefined;
      if (bytes !== undefined) configuration.set(`${place}/${name}`, bytes);
    }
  }
  return {
    name: directory,
    root: directoryRoot(directory, files),
    vmlinuz:
      (await read(`${tree}/vmlinuz`)) ??
      (await read(`boot/vmlinuz-${kernel}`)) ??
      (await read(`boot/vmlinux-${kernel}`)),
    indexes,
    configuration,
    readModules: async (paths) => {
      const found = new Map<string, Uint8Array>();
      for (const path of paths) found.set(path, await files.read(`${directory}/${tree}/${path}`));
      return found;
    },
  };
}

async function firstWith(
  paths: readonly string[],
  read: (path: string) => Promise<Uint8Array | undefined>,
): Promise<string | undefined> {
  for (const path of paths) {
    if ((await read(path)) !== undefined) return path;
  }
  return undefined;
}
