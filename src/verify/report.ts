import type { Arch } from '../oci/arch.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import type { BootReport } from './boot/boot-report.ts';

/** What every report of a pass says: no more was looked at, and no less. */
export const STATIC_PASS = 'passes every static check of load_module; init() and hardware not proven';

/**
 * The checks, in the order in which `load_module()` makes those that it makes; the rest is about the tree.
 *
 * @see linux `kernel/module/main.c`
 */
export const CHECK_IDS = [
  'signature',
  'elf',
  'architecture',
  'this-module',
  'module-layout',
  'vermagic',
  'livepatch',
  'versions',
  'symbols',
  'symbol-crcs',
  'namespaces',
  'licence',
  'relocations',
  'exports',
  'btf',
  'parameters',
  'name',
  'dependencies',
  'precedence',
  'dependants',
  'aliases',
  'firmware',
] as const;

export type CheckId = (typeof CHECK_IDS)[number];

/** `fail`: the kernel refuses the module, or the tree does not hold together; `skip`: what it needs is not known. */
export type CheckStatus = 'pass' | 'fail' | 'warn' | 'skip';

/** One check of one module. */
export interface Check {
  readonly id: CheckId;
  readonly status: CheckStatus;
  /** One sentence without a full stop. */
  readonly message: string;
  /** What the kernel or the base asks for, where it is one value. */
  readonly wanted?: string | undefined;
  /** What the module has. */
  readonly found?: string | undefined;
  /** Who asks for it, or provides it: `vmlinux`, or the path of a module. */
  readonly provider?: string | undefined;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** Single findings below the check, for instance one for each symbol that is missing; in the order of the module. */
  readonly details?: readonly CheckDetail[] | undefined;
}

export interface CheckDetail {
  /** What it is about: a symbol, a parameter, a file of firmware, a module of the base. */
  readonly subject: string;
  readonly message: string;
  readonly wanted?: string | undefined;
  readonly found?: string | undefined;
  readonly provider?: string | undefined;
}

/** One symbol that a module imports, and how it was resolved. */
export interface SymbolUse {
  readonly symbol: string;
  readonly status: 'ok' | 'missing' | 'crc-changed' | 'no-crc' | 'namespace' | 'licence' | 'weak';
  /** CRC that the module was built against, `0x` and eight digits. */
  readonly found?: string | undefined;
  /** CRC that the provider has. */
  readonly wanted?: string | undefined;
  /** `vmlinux`, or the path of a module below the kernel's directory. */
  readonly provider?: string | undefined;
  readonly namespace?: string | undefined;
  readonly isGplOnly?: boolean | undefined;
}

export interface ModuleReport {
  readonly name: string;
  /** Below the kernel's module directory, for instance `extra/ice/ice.ko.xz`, or the file that was given. */
  readonly path: string;
  readonly verdict: Verdict;
  /** In the order of `CHECK_IDS`; those that do not apply are left out. */
  readonly checks: readonly Check[];
  readonly symbols: readonly SymbolUse[];
  /** Modules that are loaded before this one, by path, as the merged `modules.dep` says. */
  readonly dependencies: readonly string[];
}

export type Verdict = 'passes' | 'fails';

/** A module of the base that an added one takes the place of, and what that does to those that depend on it. */
export interface OverrideReport {
  readonly name: string;
  readonly winner: string;
  readonly loser: string;
  readonly dependants: readonly {
    readonly path: string;
    readonly status: 'ok' | 'broken' | 'unknown';
    /** Symbols that it no longer finds with the CRC that it was built against. */
    readonly symbols: readonly string[];
  }[];
}

/** A rule of layers or images that is broken, at one place. */
export interface Finding {
  /** Short name of the rule, for instance `dropped-path`. Stable: people suppress findings by it. */
  readonly rule: string;
  readonly severity: 'error' | 'warning' | 'note';
  /** File in the image that it is about. */
  readonly path?: string | undefined;
  /** Digest of the layer that it is about. */
  readonly layer?: string | undefined;
  /** What is wrong, and what will come of it. */
  readonly message: string;
  readonly hint?: string | undefined;
}

/** The proof for one base: an image, or a directory with a module tree. */
export interface TargetReport {
  /** As the user named it; images by digest. */
  readonly subject: string;
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  /** OpenShift release, where the image says it. */
  readonly release?: string | undefined;
  readonly verdict: Verdict;
  /** `STATIC_PASS`, or what keeps it from passing, in one sentence. */
  readonly statement: string;
  readonly modules: readonly ModuleReport[];
  readonly overrides: readonly OverrideReport[];
  /** Rules of layers and images; none for a directory. */
  readonly findings: readonly Finding[];
  /** What was read of the base to come to this. */
  readonly evidence: readonly { readonly name: string; readonly sizeBytes: number }[];
  readonly boot?: BootReport | undefined;
}

/** What `verify` reports: one entry for each base. */
export interface VerifyReport {
  /** `fails`, too, when there is no proof of a target that was asked for. */
  readonly verdict: Verdict;
  readonly targets: readonly TargetReport[];
  /** Targets that something kept from being proven, in words; none when absent. */
  readonly unproven?: readonly { readonly subject: string; readonly message: string }[] | undefined;
}
