import type { Brand } from '../brand.ts';
import { SignError } from '../errors.ts';

/** A GUID as UEFI writes it in text: lower case, `d719b2cb-3d3a-4596-a3bc-dad00e67656f`. */
export type EfiGuid = Brand<string, 'EfiGuid'>;

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const GUID_BYTES = 16;
/** Text groups whose bytes stand in reverse order in memory: the first three are little-endian numbers. */
const REVERSED_GROUPS = 3;

/**
 * Reads a GUID; upper case is taken, too.
 *
 * @throws {SignError} `EFI_DATA_INVALID`.
 */
export function parseEfiGuid(text: string): EfiGuid {
  const guid = text.toLowerCase();
  if (!GUID.test(guid)) {
    throw new SignError('EFI_DATA_INVALID', `Cannot use GUID ${JSON.stringify(text.slice(0, 100))}`, {
      hint: 'Write 32 hex digits in groups of 8, 4, 4, 4 and 12, for instance from "uuidgen".',
    });
  }
  return guid as EfiGuid;
}

/** The 16 bytes of a GUID as EFI stores them. */
export function writeEfiGuid(guid: EfiGuid): Buffer {
  return Buffer.concat(
    guid.split('-').map((group, index) => {
      const bytes = Buffer.from(group, 'hex');
      return index < REVERSED_GROUPS ? bytes.reverse() : bytes;
    }),
  );
}

function readEfiGuid(bytes: Buffer): EfiGuid {
  const parts = [bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6, 8)].map((part) =>
    Buffer.from(part).reverse(),
  );
  return [...parts, bytes.subarray(8, 10), bytes.subarray(10, GUID_BYTES)]
    .map((part) => part.toString('hex'))
    .join('-') as EfiGuid;
}

/** Types of entries, and the namespaces of the variables that hold them. */
export const EFI_GUIDS = {
  /** Entries that are X.509 certificates in DER. */
  certX509: parseEfiGuid('a5c059a1-94e4-4aa7-87b5-ab155c2bf072'),
  /** Entries that are SHA-256 hashes of images. */
  certSha256: parseEfiGuid('c1c41626-504c-4092-aca9-41f936934328'),
  /** Namespace of `db` and `dbx`. */
  imageSecurityDatabase: parseEfiGuid('d719b2cb-3d3a-4596-a3bc-dad00e67656f'),
  /** Namespace of `PK`, `KEK`, `SetupMode` and `SecureBoot`. */
  globalVariable: parseEfiGuid('8be4df61-93ca-11d2-aa0d-00e098032b8c'),
  /** Namespace of shim's `MokList` and `MokListRT`. */
  shimLock: parseEfiGuid('605dab50-e046-4300-abb6-3dd810dd8b23'),
  /** Type of a signature that is PKCS#7, in the header of an authenticated update. */
  certPkcs7: parseEfiGuid('4aafd29d-68df-49ee-8aa9-347d375665a7'),
} as const;

/** One entry of a signature database such as `db`, `KEK` or `MokListRT`. */
export interface EfiSignature {
  /** What `data` is: see `EFI_GUIDS`. */
  readonly type: EfiGuid;
  /** Who put it there. */
  readonly owner: EfiGuid;
  /** A certificate in DER, a hash, or what else the type says. */
  readonly data: Buffer;
}

/** Type, length of the list, of the header and of an entry. */
const HEADER_BYTES = GUID_BYTES + 3 * 4;
/** More than any firmware can store; a database that claims more is garbage. */
const MAX_SIGNATURES = 10_000;

/**
 * The content of a signature database: one `EFI_SIGNATURE_LIST` for each entry, in the given order, as firmware wants
 * certificates, whose sizes differ. Equal to what efitools' `cert-to-efi-sig-list -g OWNER` writes for a certificate.
 *
 * @see https://uefi.org/specs/UEFI/2.10/32_Secure_Boot_and_Driver_Signing.html#signature-database
 */
export function writeEfiSignatureLists(signatures: readonly EfiSignature[]): Buffer {
  return Buffer.concat(
    signatures.flatMap(({ type, owner, data }) => {
      const sizes = Buffer.alloc(3 * 4);
      sizes.writeUInt32LE(HEADER_BYTES + GUID_BYTES + data.length, 0);
      sizes.writeUInt32LE(GUID_BYTES + data.length, 8);
      return [writeEfiGuid(type), sizes, writeEfiGuid(owner), data];
    }),
  );
}

/**
 * The entries of a signature database, in their order. A file of efivarfs begins with four bytes of attributes, which
 * are not part of it.
 *
 * @throws {SignError} `EFI_DATA_INVALID`.
 */
export function parseEfiSignatureLists(bytes: Uint8Array): readonly EfiSignature[] {
  const signatures: EfiSignature[] = [];
  let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  while (rest.length > 0) {
    if (rest.length < HEADER_BYTES) throw listInvalid('it is cut off');
    const type = readEfiGuid(rest);
    const listBytes = rest.readUInt32LE(GUID_BYTES);
    const headerBytes = rest.readUInt32LE(GUID_BYTES + 4);
    const entryBytes = rest.readUInt32LE(GUID_BYTES + 8);
    const bodyAt = HEADER_BYTES + headerBytes;
    if (listBytes < bodyAt || listBytes > rest.length) throw listInvalid('the length of a list is wrong');
    const body = rest.subarray(bodyAt, listBytes);
    if (entryBytes < GUID_BYTES || body.length % entryBytes !== 0) {
      throw listInvalid('the length of an entry is wrong');
    }
    if (signatures.length + body.length / entryBytes > MAX_SIGNATURES) throw listInvalid('it is too long');
    for (let at = 0; at < body.length; at += entryBytes) {
      const entry = body.subarray(at, at + entryBytes);
      signatures.push({ type, owner: readEfiGuid(entry), data: entry.subarray(GUID_BYTES) });
    }
    rest = rest.subarray(listBytes);
  }
  return signatures;
}

function listInvalid(why: string): SignError {
  return new SignError('EFI_DATA_INVALID', `Cannot read an EFI signature list: ${why}`, {
    hint: 'It is damaged, or has another format; a file of efivarfs has four bytes before the list.',
  });
}
