/** What one boot of an image's kernel showed. */
export interface BootReport {
  readonly verdict: 'passes' | 'fails';
  /** One sentence: what was shown, or what keeps it from passing. */
  readonly statement: string;
  readonly emulator: {
    /** For instance `QEMU emulator version 7.2.22`. */
    readonly version: string;
    readonly accelerator: 'kvm' | 'tcg';
    /** File name of the firmware; absent without Secure Boot. */
    readonly firmware?: string | undefined;
  };
  /** What `uname -r` printed in the guest. */
  readonly kernelRelease: string;
  readonly secureBoot: boolean;
  /** `none`, `integrity` or `confidentiality`; absent when the kernel has no lockdown. */
  readonly lockdown?: string | undefined;
  readonly isSignatureEnforced: boolean;
  readonly modules: readonly ModuleBoot[];
  /** Copies of our modules that the kernel must refuse; only with Secure Boot. */
  readonly controls: readonly ControlBoot[];
  /** `/proc/sys/kernel/tainted`, and its flags in words. */
  readonly tainted: number;
  readonly taints: readonly string[];
  /** Lines as `lsmod` prints them. */
  readonly loadedModules: readonly string[];
  readonly kernelLog: readonly string[];
  /** All that came over the serial line. */
  readonly console: string;
  /** Milliseconds: to make the initramfs, and from the start of the emulator to its end. */
  readonly times: { readonly initramfsMs: number; readonly bootMs: number };
}

/**
 * `needs-hardware`: the kernel accepted the module and its init() found nothing to drive. `not-reached`: the guest ended
 * before it came to the module.
 */
export type LoadOutcome = 'loaded' | 'needs-hardware' | 'init-failed' | 'refused' | 'not-reached';

export interface ModuleBoot {
  readonly name: string;
  readonly outcome: LoadOutcome;
  /** Exit code of modprobe; absent when the guest ended before it did. */
  readonly exitCode?: number | undefined;
  /** What modprobe and the kernel said about it, in their own words. */
  readonly messages: readonly string[];
}

export interface ControlBoot {
  /** Module that it is a copy of. */
  readonly name: string;
  readonly kind: 'unsigned' | 'tampered' | 'wrong-key';
  /** `refused` is what must come. */
  readonly outcome: LoadOutcome;
  readonly messages: readonly string[];
}
