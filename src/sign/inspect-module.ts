import { ModuleError, SignError } from '../errors.ts';
import {
  decompressModule,
  detectCompression,
  type DecompressModuleOptions,
  type ModuleCompression,
} from '../kmod/compression.ts';
import { describeModule, type ModuleDescription } from '../kmod/describe-module.ts';
import type { KernelModule } from '../kmod/module.ts';
import { readModule } from '../kmod/read-module.ts';
import { describeSignature, type SignatureDescription } from './describe-signature.ts';

/** Everything that a module says. */
export interface ModuleInfo {
  /** Bytes of the module without its compression, signature included. */
  readonly sizeBytes: number;
  readonly module: KernelModule;
  readonly description: ModuleDescription;
  /** Undefined for an unsigned module, and for one whose signature is malformed. */
  readonly signature: SignatureDescription | undefined;
  /** What is wrong with a signature that cannot be read; undefined for a good one and for none. */
  readonly signatureProblem: string | undefined;
}

/** The same of a `.ko` file as it lies on a disk. */
export interface ModuleInspection extends ModuleInfo {
  readonly compression: ModuleCompression;
}

/**
 * Reads the bytes of an uncompressed module: what it says, as depmod takes it and as modinfo shows it, and who signed
 * it. Proves nothing about the signature: see `verifyModuleSignature`.
 *
 * @throws {ModuleError} `ELF_INVALID`, `MODINFO_INVALID` for bytes that are no module; `COMPRESSION_UNSUPPORTED` for
 *   one that has to be unpacked first.
 */
export function readModuleInfo(bytes: Uint8Array): ModuleInfo {
  const compression = detectCompression(bytes);
  if (compression !== 'none') {
    throw new ModuleError(
      'COMPRESSION_UNSUPPORTED',
      `Cannot read a module that is compressed (${compression})`,
      {
        hint: 'Unpack it first, with decompressModule.',
      },
    );
  }
  const module = readModule(bytes);
  return { sizeBytes: bytes.length, module, description: describeModule(module), ...readSignature(bytes) };
}

/**
 * Reads a module file as it lies on a disk: unpacks it, reads it, describes its signature.
 *
 * @throws {ModuleError} for a file that is no module or does not unpack.
 */
export async function inspectModule(
  bytes: Uint8Array,
  options: DecompressModuleOptions = {},
): Promise<ModuleInspection> {
  const unpacked = await decompressModule(bytes, options);
  return { compression: detectCompression(bytes), ...readModuleInfo(unpacked) };
}

function readSignature(bytes: Uint8Array): Pick<ModuleInfo, 'signature' | 'signatureProblem'> {
  try {
    return { signature: describeSignature(bytes), signatureProblem: undefined };
  } catch (error) {
    if (!(error instanceof SignError)) throw error;
    return { signature: undefined, signatureProblem: error.message };
  }
}
