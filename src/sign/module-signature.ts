import { SignError } from '../errors.ts';
import { findElfEnd, readElf } from '../kmod/elf.ts';

/** A module file, parted into the module and the signature that was appended to it. */
export interface SignedModule {
  /** The bytes that the signature covers. */
  readonly module: Buffer;
  /** The CMS message in DER; undefined for a module without a signature. */
  readonly cms: Buffer | undefined;
}

const MAGIC = Buffer.from('~Module signature appended~\n');

/** `struct module_signature`: algo, hash, id_type, signer_len, key_id_len, three bytes of padding, length. */
const TRAILER_BYTES = 12;
const LENGTH_AT = 8;
const ID_TYPE_AT = 2;
const ID_TYPE_PKCS7 = 2;

/**
 * Parts a module file from its signature, as strictly as the kernel does. A module with a byte too much after the
 * signature counts as unsigned there, and so here.
 *
 * @throws {SignError} `SIGNATURE_INVALID` for a trailer that the kernel refuses as a bad message.
 * @see https://docs.kernel.org/admin-guide/module-signing.html#signed-modules-and-stripping
 */
export function splitSignature(input: Uint8Array): SignedModule {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  if (!hasSignature(bytes)) return { module: bytes, cms: undefined };
  const trailerAt = bytes.length - MAGIC.length - TRAILER_BYTES;
  if (trailerAt < 0) throw trailerInvalid('it is cut off');
  const trailer = bytes.subarray(trailerAt, trailerAt + TRAILER_BYTES);
  const idType = trailer.readUInt8(ID_TYPE_AT);
  if (idType !== ID_TYPE_PKCS7)
    throw trailerInvalid(`its type is ${idType} and the kernel reads ${ID_TYPE_PKCS7}`);
  if (trailer.subarray(0, LENGTH_AT).some((byte, at) => at !== ID_TYPE_AT && byte !== 0)) {
    throw trailerInvalid('fields that must be zero are not');
  }
  const cmsBytes = trailer.readUInt32BE(LENGTH_AT);
  if (cmsBytes >= trailerAt) throw trailerInvalid('it says to be longer than the file');
  return {
    module: bytes.subarray(0, trailerAt - cmsBytes),
    cms: bytes.subarray(trailerAt - cmsBytes, trailerAt),
  };
}

/** True for a file that ends as signed modules do; the signature may be malformed all the same. */
export function hasSignature(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.equals(bytes.subarray(bytes.length - MAGIC.length));
}

/**
 * The module without any signature: signatures that were appended to signatures go, too.
 *
 * @throws {SignError} `SIGNATURE_INVALID`.
 */
export function stripSignature(bytes: Uint8Array): Buffer {
  let { module, cms } = splitSignature(bytes);
  while (cms !== undefined) ({ module, cms } = splitSignature(module));
  return module;
}

/**
 * The module up to where its ELF ends, whatever follows: the way out when a signature is malformed.
 *
 * @throws {ModuleError} `ELF_INVALID` for bytes whose module cannot be found either.
 */
export function cutAfterModule(input: Uint8Array): Buffer {
  const elf = readElf(input);
  return elf.bytes.subarray(0, findElfEnd(elf));
}

/** The module with a signature after it, in the form that the kernel looks for. */
export function appendSignature(module: Uint8Array, cms: Uint8Array): Buffer {
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeUInt8(ID_TYPE_PKCS7, ID_TYPE_AT);
  trailer.writeUInt32BE(cms.length, LENGTH_AT);
  return Buffer.concat([module, cms, trailer, MAGIC]);
}

function trailerInvalid(why: string): SignError {
  return new SignError('SIGNATURE_INVALID', `Cannot read the signature of a module: ${why}`, {
    hint: 'Cut the file after the module with "kmodlayer sign --strip --force", or compile it again, and sign it.',
  });
}
