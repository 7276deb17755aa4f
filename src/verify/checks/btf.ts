import { type ElfFile, findSection, sectionBytes } from '../../kmod/elf.ts';
import type { KernelFacts } from '../kernel-facts.ts';
import type { Check } from '../report.ts';
import { firstOf, type Subject } from '../subject.ts';
import { resultsOf } from './check.ts';

const MAGIC = 0xeb9f;
const VERSION = 1;
const HEADER_BYTES = 24;
const STRIP = 'Take the types out before signing: objcopy --remove-section .BTF.';

/**
 * Do the types of the module (BTF) fit those of the kernel, which they refer to by number? Kernels with
 * `CONFIG_MODULE_ALLOW_BTF_MISMATCH` load the module without its types when they do not.
 *
 * @see linux `kernel/bpf/btf.c`, `btf_module_notify()`
 */
export function checkBtf(elf: ElfFile, subject: Subject, kernel: KernelFacts): Check | undefined {
  const { pass, warn, fail, skip } = resultsOf('btf');
  const section = findSection(elf, '.BTF');
  if (section === undefined || section.sizeBytes === 0) return undefined;
  const { config } = kernel;
  if (config !== undefined && config.get('CONFIG_DEBUG_INFO_BTF_MODULES') !== 'y') {
    return pass('this kernel does not read the types of modules');
  }
  const refuse = config?.get('CONFIG_MODULE_ALLOW_BTF_MISMATCH') === 'y' ? warn : fail;
  const why = findProblem(elf, sectionBytes(elf, section));
  if (why !== undefined) return refuse(`its types are damaged: ${why}`, { hint: STRIP });
  const release = firstOf(subject, 'vermagic')?.split(' ', 1)[0];
  if (findSection(elf, '.BTF.base') === undefined && release !== kernel.release) {
    return refuse('its types refer by number to those of another kernel', {
      wanted: kernel.release,
      found: release,
      hint: STRIP,
    });
  }
  if (firstOf(subject, 'intree') !== undefined) return pass("its types are those of the kernel's own build");
  return skip("whether its types fit the kernel's cannot be seen without those", { hint: STRIP });
}

function findProblem(elf: ElfFile, btf: Buffer): string | undefined {
  if (btf.length < HEADER_BYTES) return 'their header is cut off';
  const { isLittleEndian } = elf;
  const u16 = (at: number): number => (isLittleEndian ? btf.readUInt16LE(at) : btf.readUInt16BE(at));
  const u32 = (at: number): number => (isLittleEndian ? btf.readUInt32LE(at) : btf.readUInt32BE(at));
  if (u16(0) !== MAGIC) return 'they do not begin as types do';
  if (btf[2] !== VERSION || btf[3] !== 0) return 'their version or flags are unknown';
  const headerBytes = u32(4);
  if (headerBytes > btf.length) return 'their header is cut off';
  const [types, strings] = [
    { start: u32(8), size: u32(12) },
    { start: u32(16), size: u32(20) },
  ].sort((left, right) => left.start - right.start);
  if (types?.start !== 0 || strings?.start !== types.size) return 'their parts overlap or have gaps';
  return strings.start + strings.size === btf.length - headerBytes ? undefined : 'their parts are cut off';
}
