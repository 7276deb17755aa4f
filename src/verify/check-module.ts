import { ModuleError } from '../errors.ts';
import { findModinfo, type KernelModule } from '../kmod/module.ts';
import type { Arch } from '../oci/arch.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';

export interface CheckModuleOptions {
  /** File name, for instance `ice.ko`. */
  readonly fileName: string;
  readonly module: KernelModule;
  readonly arch: Arch;
  /** Kernel release of the OS image. */
  readonly kernel: KernelRelease;
}

/**
 * Refuses a module that was built for another architecture or kernel, or that calls itself by another name than its
 * file.
 *
 * @throws {ModuleError} `ARCH_MISMATCH`, `KERNEL_MISMATCH` or `NAME_MISMATCH`, with what was wanted and found.
 * @see linux `kernel/module/main.c`, `elf_validity_cache_copy` and `check_modinfo`
 */
export function checkModule({ fileName, module, arch, kernel }: CheckModuleOptions): void {
  if (module.arch !== arch) {
    throw new ModuleError(
      'ARCH_MISMATCH',
      `Cannot use ${fileName}: it was built for ${module.arch ?? `ELF machine ${module.machine}`}, the image is for ${arch}`,
      { hint: `Build the module for ${arch}.` },
    );
  }
  const vermagic = findModinfo(module, 'vermagic');
  const built = vermagic?.split(' ')[0];
  if (built !== kernel) {
    throw new ModuleError(
      'KERNEL_MISMATCH',
      `Cannot use ${fileName}: it was built for kernel ${built ?? '(it has no vermagic)'}, the image has ${kernel}`,
      { hint: 'Build the module with the driver-toolkit of this release.' },
    );
  }
  const name = findModinfo(module, 'name');
  const expected = moduleNameOfPath(fileName);
  if (name !== undefined && name !== expected) {
    throw new ModuleError('NAME_MISMATCH', `Cannot use ${fileName}: the module inside calls itself ${name}`, {
      hint: `Rename the file to ${name}.ko.`,
    });
  }
}
