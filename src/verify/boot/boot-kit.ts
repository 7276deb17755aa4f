import { BootError } from '../../errors.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import type { InitramfsEntry } from '../../layer/initramfs/write-cpio.ts';
import { selectModules } from './module-set.ts';
import type { Root } from './root.ts';
import { collectUserland } from './userland.ts';

/** All that a guest needs of an operating system: its kernel, and what goes into the initramfs. */
export interface BootKit {
  readonly vmlinuz: Uint8Array;
  readonly entries: readonly InitramfsEntry[];
}

/** An operating system as far as a boot looks at it. */
export interface BootSource {
  /** As messages name it. */
  readonly name: string;
  /** Shell, mount, kmod and libraries. */
  readonly root: Root;
  /** Undefined when it was not found. */
  readonly vmlinuz: Uint8Array | undefined;
  /** Index files of the kernel by name. */
  readonly indexes: ReadonlyMap<string, Uint8Array>;
  /** Files of modprobe.d by path. */
  readonly configuration: ReadonlyMap<string, Uint8Array>;
  /** Bytes of modules by path below the kernel's directory, as they are installed. */
  readonly readModules: (paths: readonly string[]) => Promise<ReadonlyMap<string, Uint8Array>>;
}

/** Modules that a source has for some names. */
export function selectOf(
  { indexes, configuration }: Pick<BootSource, 'indexes' | 'configuration'>,
  names: readonly string[],
): readonly string[] {
  const configurations = [...configuration.values()].map((bytes) => Buffer.from(bytes).toString('latin1'));
  return selectModules({ indexes, configurations }, names);
}

/**
 * What a guest needs to load modules by name.
 *
 * @throws {BootError} `USERLAND_MISSING`, `USERLAND_INVALID`, `KERNEL_MISSING`.
 */
export async function makeBootKit(
  source: BootSource,
  kernel: KernelRelease,
  modules: readonly string[],
): Promise<BootKit> {
  const { vmlinuz, indexes, configuration } = source;
  if (vmlinuz === undefined) {
    throw new BootError(
      'KERNEL_MISSING',
      `Cannot boot ${source.name}: it has no vmlinuz of kernel ${kernel}`,
      {
        hint: `It stands in /usr/lib/modules/${kernel}/ of OS images; a kmod image has none: name the OS image as its base.`,
      },
    );
  }
  const userland = await collectUserland(source.root);
  if (userland.missing.length > 0) {
    throw new BootError(
      'USERLAND_MISSING',
      `Cannot boot ${source.name}: it has no ${userland.missing.join(', ')}`,
      {
        hint: 'The guest runs the shell, mount, cat and kmod of the image; --boot-root DIR takes them from a directory instead.',
      },
    );
  }
  // Of a name that no index has, modprobe says so itself.
  const paths = selectOf(source, modules);
  const bytesOf = await source.readModules(paths);
  const directory = `usr/lib/modules/${kernel}`;
  const file = (path: string, bytes: Uint8Array): InitramfsEntry => ({ path, type: 'file', bytes });
  const lib = userland.entries.some(({ path }) => path.startsWith('lib/'))
    ? [{ path: 'lib/modules', type: 'symlink', target: '/usr/lib/modules' } as const]
    : [];
  return {
    vmlinuz,
    entries: [
      ...userland.entries,
      ...lib,
      ...[...configuration].map(([path, bytes]) => file(path, bytes)),
      ...[...indexes].map(([name, bytes]) => file(`${directory}/${name}`, bytes)),
      ...[...bytesOf].map(([path, bytes]) => file(`${directory}/${path}`, bytes)),
    ],
  };
}
