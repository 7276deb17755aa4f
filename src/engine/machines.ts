import type { Arch } from '../oci/arch.ts';

/** Where the emulated machines of the architectures differ. */
export interface Machine {
  readonly program: string;
  readonly type: string;
  /** What the kernel calls its serial line. */
  readonly console: string;
}

export const MACHINES: Readonly<Record<Arch, Machine>> = {
  x86_64: { program: 'qemu-system-x86_64', type: 'pc', console: 'ttyS0' },
  aarch64: { program: 'qemu-system-aarch64', type: 'virt', console: 'ttyAMA0' },
  ppc64le: { program: 'qemu-system-ppc64', type: 'pseries', console: 'hvc0' },
  s390x: { program: 'qemu-system-s390x', type: 's390-ccw-virtio', console: 'ttysclp0' },
};

/** Arguments of a machine with UEFI firmware and a store of variables that stands in its directory. */
export function firmwareArguments(firmware: {
  readonly code: string;
  readonly needsSmm: boolean;
}): readonly string[] {
  const smm = firmware.needsSmm;
  return [
    ...['-machine', `q35,smm=${smm ? 'on' : 'off'}`, '-global', 'ICH9-LPC.disable_s3=1'],
    ...(smm ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${withoutCommas(firmware.code)}`],
    ...['-drive', `if=pflash,format=raw,unit=1,file=${FILES.variables}`],
  ];
}

/** Names of files in the directory that the emulator runs in. */
export const FILES = {
  kernel: 'kernel',
  initramfs: 'initramfs',
  console: 'console',
  variables: 'variables',
} as const;

/** qemu parts options at commas; a doubled one stands for itself. */
function withoutCommas(path: string): string {
  return path.replaceAll(',', ',,');
}
