import { SignError } from '../errors.ts';
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

/** Everything that a `.ko` file says, packed or not. */
export interface ModuleInspection {
  readonly compression: ModuleCompression;
  /** Bytes of the module when unpacked, signature included. */
  readonly sizeBytes: number;
  readonly module: KernelModule;
  readonly description: ModuleDescription;
  /** Undefined for an unsigned module, and for one whose signature is malformed. */
  readonly signature: SignatureDescription | undefined;
  /** What is wrong with a signature that cannot be read; undefined for a good one and for none. */
  readonly signatureProblem: string | undefined;
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
  const module = readModule(unpacked);
  return {
    compression: detectCompression(bytes),
    sizeBytes: unpacked.length,
    module,
    description: describeModule(module),
    ...readSignature(unpacked),
  };
}

function readSignature(bytes: Buffer): Pick<ModuleInspection, 'signature' | 'signatureProblem'> {
  try {
    return { signature: describeSignature(bytes), signatureProblem: undefined };
  } catch (error) {
    if (!(error instanceof SignError)) throw error;
    return { signature: undefined, signatureProblem: error.message };
  }
}
