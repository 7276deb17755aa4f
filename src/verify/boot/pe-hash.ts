import { createHash } from 'node:crypto';

const PE_OFFSET_AT = 0x3c;
const OPTIONAL_HEADER = 24;
const CHECKSUM = 64;
const MAGIC_32 = 0x10b;
const MAGIC_64 = 0x20b;
/** Index of the directory of attached certificates. */
const SECURITY_DIRECTORY = 4;
const DIRECTORY_BYTES = 8;

/**
 * The SHA-256 hash by which UEFI firmware knows a PE image, such as a kernel with an EFI stub: of everything but the
 * checksum, the place of the certificates, and the certificates. Undefined for what is no PE image.
 *
 * @see Microsoft, "Windows Authenticode Portable Executable Signature Format", calculating the PE image hash
 */
export function findPeHash(image: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  if (bytes.length < PE_OFFSET_AT + 4 || bytes.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const header = bytes.readUInt32LE(PE_OFFSET_AT);
  const optional = header + OPTIONAL_HEADER;
  if (optional + 2 > bytes.length || bytes.toString('latin1', header, header + 4) !== 'PE\0\0')
    return undefined;
  const magic = bytes.readUInt16LE(optional);
  const directories = magic === MAGIC_64 ? 112 : magic === MAGIC_32 ? 96 : undefined;
  if (directories === undefined) return undefined;
  const security = optional + directories + SECURITY_DIRECTORY * DIRECTORY_BYTES;
  if (security + DIRECTORY_BYTES > bytes.length) return undefined;

  const certificatesAt = bytes.readUInt32LE(security);
  const certificatesBytes = bytes.readUInt32LE(security + 4);
  const hasCertificates = certificatesBytes > 0;
  if (hasCertificates && certificatesAt + certificatesBytes !== bytes.length) return undefined;
  const end = hasCertificates ? certificatesAt : bytes.length;
  if (end < security + DIRECTORY_BYTES) return undefined;
  const checksum = optional + CHECKSUM;
  return createHash('sha256')
    .update(bytes.subarray(0, checksum))
    .update(bytes.subarray(checksum + 4, security))
    .update(bytes.subarray(security + DIRECTORY_BYTES, end))
    .digest();
}
