import type { Arch } from '../oci/arch.ts';

/** A machine that boots a kernel with an initramfs, and no disk. */
export interface Guest {
  readonly arch: Arch;
  readonly kernel: Uint8Array;
  readonly initramfs: Uint8Array;
  /** Added to what makes the kernel speak on the serial line and end with the machine. */
  readonly kernelArguments: readonly string[];
  readonly memoryMiB: number;
  /** What the guest prints last: a short time after it the machine is ended, should it not have ended by itself. */
  readonly lastWords: string;
  /** Boots through UEFI firmware, whose variable store this makes from an empty one. Only x86_64. */
  readonly makeVariables?: ((emptyStore: Uint8Array) => Uint8Array) | undefined;
  /** Default: a minute with KVM, five without. */
  readonly timeoutMs?: number | undefined;
  /** Ends the machine. */
  readonly signal: AbortSignal;
}

export type Accelerator = 'kvm' | 'tcg';

/** What was seen of one guest. */
export interface GuestRun {
  /** `finished`: the last words came; `ended`: the machine ended without them; `timeout`: it was ended. */
  readonly end: 'finished' | 'ended' | 'timeout';
  /** All that came over the serial line. */
  readonly console: Uint8Array;
  readonly accelerator: Accelerator;
  /** File name of the firmware. */
  readonly firmware: string | undefined;
  /** From the start of the emulator to its end, in milliseconds. */
  readonly ms: number;
  /** How long it was given, in milliseconds. */
  readonly timeoutMs: number;
}

/** An emulator of whole machines. */
export interface Emulator {
  /** As it prints it, for instance `QEMU emulator version 7.2.22`. */
  readonly version: string;

  /**
   * The firmware that boots with Secure Boot.
   *
   * @throws {BootError} `FIRMWARE_MISSING`.
   */
  findFirmware(): Promise<string>;

  /**
   * Runs one guest to its end, and leaves nothing behind.
   *
   * @throws {BootError} `EMULATOR_FAILED` when the machine did not start, `FIRMWARE_MISSING`.
   * @throws the reason of `signal` when it was aborted, after the emulator has gone.
   */
  boot(guest: Guest): Promise<GuestRun>;
}
