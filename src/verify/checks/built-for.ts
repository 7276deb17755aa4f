import { type ElfFile, SHF_ALLOC, SHF_WRITE, SHT_NOBITS } from '../../kmod/elf.ts';
import { archOf } from '../../kmod/read-module.ts';
import type { Arch } from '../../oci/arch.ts';
import type { KernelFacts } from '../kernel-facts.ts';
import { forcesLoad, hasChangeOf, STRICT_SECTIONS } from '../kernel-version.ts';
import type { Check } from '../report.ts';
import { firstOf, type Subject, THIS_MODULE } from '../subject.ts';
import { resultsOf } from './check.ts';

/** Version of the ABI of 64-bit PowerPC that `e_flags` of the little-endian kernel's modules names. */
const POWER_ABI = 2;

/** Is the module for this machine? */
export function checkArchitecture(elf: ElfFile, wanted: Arch): Check {
  const { pass, fail } = resultsOf('architecture');
  const arch = archOf(elf);
  const found = arch ?? `ELF machine ${elf.machine}`;
  if (arch !== wanted) {
    return fail(`it was built for ${found}, the kernel is for ${wanted}`, {
      wanted,
      found,
      hint: `Build the module for ${wanted}.`,
    });
  }
  const abi = elf.headerFlags & 3;
  if (arch === 'ppc64le' && abi !== POWER_ABI) {
    return fail(`it uses version ${abi} of the ABI, the kernel version ${POWER_ABI}`, {
      wanted: String(POWER_ABI),
      found: String(abi),
    });
  }
  return pass(`it was built for ${arch}`, { wanted, found });
}

/** Has the kernel the same `struct module` as the module? */
export function checkThisModule(elf: ElfFile, kernel: KernelFacts): Check {
  const { pass, warn, fail, skip } = resultsOf('this-module');
  const isStrict = hasChangeOf(kernel, STRICT_SECTIONS);
  const all = elf.sections.filter(({ name }) => name === THIS_MODULE);
  const [section] = isStrict ? all : all.filter(({ flags }) => (flags & SHF_ALLOC) !== 0);
  if (section === undefined) return fail(`it has no section ${THIS_MODULE} that is loaded`);
  if (isStrict && all.length > 1) return fail(`it has more than one section ${THIS_MODULE}`);
  if (section.type === SHT_NOBITS || (section.flags & SHF_ALLOC) === 0) {
    return fail(`its section ${THIS_MODULE} has no bytes that are loaded`);
  }
  if ((section.flags & SHF_WRITE) === 0) {
    return fail(`its section ${THIS_MODULE} may not be written, at which the kernel crashes`);
  }
  const wanted = kernel.thisModuleSizeBytes;
  if (wanted === undefined) return skip("the size of the kernel's struct module is not known");
  const sizes = { wanted: `${wanted} bytes`, found: `${section.sizeBytes} bytes` };
  if (section.sizeBytes === wanted) return pass("its struct module is as large as the kernel's", sizes);
  const message = "its struct module is not as large as the kernel's";
  return isStrict ? fail(message, sizes) : warn(`${message}, which this kernel does not look at`, sizes);
}

/** Says whether the kernel compares CRCs of this module's symbols with its own. */
export function isVersioned({ versions }: Subject, kernel: KernelFacts): boolean {
  return versions.basic !== undefined && kernel.hasModversions === true;
}

/**
 * Is the version magic the kernel's? Its first word, the release, is ignored when CRCs are compared instead; the
 * extended tables alone do not count for that.
 *
 * @see linux `kernel/module/version.c`, `same_magic()`
 */
export function checkVermagic(subject: Subject, kernel: KernelFacts): Check {
  const { pass, warn, fail, skip } = resultsOf('vermagic');
  const found = firstOf(subject, 'vermagic');
  const hint = 'Build the module with the driver-toolkit of this release.';
  if (found === undefined) {
    return forcesLoad(kernel)
      ? warn('it has no version magic: it is loaded, and the kernel is marked as tainted', { hint })
      : fail('it has no version magic', { wanted: kernel.vermagic, hint });
  }
  const release = found.split(' ', 1)[0] ?? '';
  const isForRelease = release === kernel.release;
  const builtFor = `it was built for kernel ${release}`;
  const wanted = kernel.vermagic;
  if (wanted === undefined) {
    return isForRelease
      ? skip(`${builtFor}; the rest of the version magic could not be compared`, { found })
      : warn(`${builtFor}, and whether ${kernel.release} takes it could not be found out`, { found, hint });
  }
  if (found === wanted) return pass("its version magic is the kernel's", { wanted, found });
  if (isVersioned(subject, kernel) && withoutRelease(found) === withoutRelease(wanted)) {
    return pass(`${builtFor}, which the kernel ignores since it compares CRCs`, { wanted, found });
  }
  const why = isForRelease
    ? "its version magic is not the kernel's"
    : `${builtFor}, this is ${kernel.release}`;
  return fail(why, { wanted, found, hint });
}

function withoutRelease(magic: string): string {
  const blank = magic.indexOf(' ');
  return blank < 0 ? '' : magic.slice(blank);
}
