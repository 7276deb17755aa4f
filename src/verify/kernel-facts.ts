import { type BuildConfig, parseBuildConfig } from '../kmod/build-config.ts';
import { decompressModule } from '../kmod/compression.ts';
import { readIndex } from '../kmod/depmod/index-reader.ts';
import { findModinfo, type KernelModule } from '../kmod/module.ts';
import { readModule } from '../kmod/read-module.ts';
import { type KernelSymbol, parseSymvers } from '../kmod/symvers.ts';
import type { Arch } from '../oci/arch.ts';
import { parseSignedData, type SignerInfo } from '../sign/cms.ts';
import { splitSignature } from '../sign/module-signature.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';

/** What a kernel asks of the modules that it loads. What is undefined is not known, and is not checked. */
export interface KernelFacts {
  readonly release: KernelRelease;
  readonly arch: Arch;
  /** Version magic of the kernel's own modules; its trailing blank is part of it. */
  readonly vermagic: string | undefined;
  /** Size of `struct module`, in bytes. */
  readonly thisModuleSizeBytes: number | undefined;
  /** The kernel compares CRCs of symbols. */
  readonly hasModversions: boolean | undefined;
  /** Exported symbols of the kernel and of the modules that were built with it, by name. */
  readonly exports: ReadonlyMap<string, KernelSymbol> | undefined;
  /** CRCs by which the kernel's own modules import symbols: less than `exports`, and there without them. */
  readonly importedCrcs: ReadonlyMap<string, number>;
  /** Who signed the kernel's own modules, and with which hash; none: they are unsigned. */
  readonly signers: readonly Pick<SignerInfo, 'id' | 'digestOid'>[] | undefined;
  /** Names of what is built in and cannot be a module any more. */
  readonly builtins: ReadonlySet<string>;
  readonly config: BuildConfig | undefined;
}

/** What facts of a kernel are made from; the more there is, the more is checked. */
export interface KernelFiles {
  readonly release: KernelRelease;
  readonly arch: Arch;
  /** `Module.symvers`, `symvers.gz` or `symvers.xz`; or what `parseSymvers` read of it. */
  readonly symvers?: Uint8Array | ReadonlyMap<string, KernelSymbol> | undefined;
  /** Modules that the kernel was built with: one is enough to know what it asks, without signatures cut off. */
  readonly modules?: readonly Uint8Array[] | undefined;
  /** `modules.builtin` or `modules.builtin.bin`. */
  readonly builtins?: Uint8Array | undefined;
  /** What the kernel was built with: `config` of RHEL, `/boot/config-...` elsewhere. */
  readonly config?: Uint8Array | undefined;
}

/** Largest unpacked `symvers` and module of a kernel. */
const MAX_FILE_BYTES = 128 * 1024 ** 2;

/**
 * As `makeKernelFacts`, from files as they lie in an image: compressed or not.
 *
 * @throws {ModuleError} as `makeKernelFacts` and `decompressModule` do.
 */
export async function readKernelFacts(files: KernelFiles): Promise<KernelFacts> {
  const unpack = (bytes: Uint8Array): Promise<Uint8Array> =>
    decompressModule(bytes, { maxBytes: MAX_FILE_BYTES });
  return makeKernelFacts({
    ...files,
    symvers: files.symvers instanceof Uint8Array ? await unpack(files.symvers) : files.symvers,
    modules: await Promise.all((files.modules ?? []).map(unpack)),
  });
}

/**
 * The facts of a kernel, from the uncompressed bytes of its files.
 *
 * @throws {ModuleError} `INDEX_INVALID` for symvers or an index that cannot be read, `ELF_INVALID` or
 *   `MODINFO_INVALID` for a module that is none; {SignError} `SIGNATURE_INVALID` for one whose signature is malformed.
 */
export function makeKernelFacts(files: KernelFiles): KernelFacts {
  const modules = (files.modules ?? []).map((bytes) => ({ bytes, module: readModule(bytes) }));
  const [first] = modules;
  const vermagic = first === undefined ? undefined : findModinfo(first.module, 'vermagic');
  return {
    release: files.release,
    arch: files.arch,
    vermagic,
    thisModuleSizeBytes: first?.module.thisModuleSizeBytes,
    hasModversions: vermagic?.split(' ').includes('modversions'),
    exports: files.symvers instanceof Uint8Array ? parseSymvers(textOf(files.symvers)) : files.symvers,
    importedCrcs: collectCrcs(modules.map(({ module }) => module)),
    signers: first === undefined ? undefined : modules.flatMap(({ bytes }) => listSigners(bytes)),
    builtins: files.builtins === undefined ? new Set() : readBuiltins(files.builtins),
    config: files.config === undefined ? undefined : parseBuildConfig(textOf(files.config)),
  };
}

function collectCrcs(modules: readonly KernelModule[]): ReadonlyMap<string, number> {
  const crcs = new Map<string, number>();
  for (const { imports } of modules) {
    for (const { symbol, crc } of imports) if (crc !== undefined) crcs.set(symbol, crc);
  }
  return crcs;
}

function listSigners(bytes: Uint8Array): readonly Pick<SignerInfo, 'id' | 'digestOid'>[] {
  const { cms } = splitSignature(bytes);
  const { signers } = cms === undefined ? { signers: [] } : parseSignedData(cms);
  return signers.map(({ id, digestOid }) => ({ id, digestOid }));
}

const INDEX_MAGIC = Buffer.from([0xb0, 0x07, 0xf4, 0x57]);

function readBuiltins(bytes: Uint8Array): ReadonlySet<string> {
  if (bytes.length === 0) return new Set();
  if (INDEX_MAGIC.equals(bytes.subarray(0, INDEX_MAGIC.length))) {
    return new Set(readIndex(bytes).map(({ key }) => key));
  }
  const lines = textOf(bytes).split('\n');
  return new Set(lines.filter((line) => line !== '').map((line) => moduleNameOfPath(line)));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
