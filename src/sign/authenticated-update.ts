import { verify } from 'node:crypto';
import { SignError } from '../errors.ts';
import { contextTag, DER, writeDer, writeOid, writeSmallInteger } from './der.ts';
import { EFI_GUIDS, type EfiGuid, writeEfiGuid } from './efi-signature-list.ts';
import { oidOfHash } from './hash.ts';
import type { Signer } from './signer.ts';

export interface AuthenticatedUpdate {
  /** For instance `db`. */
  readonly variable: string;
  readonly namespace: EfiGuid;
  /** What is added to the variable: for `db`, EFI signature lists. */
  readonly data: Uint8Array;
  /** To the second; firmware refuses a replacement that is older than what it has, not an addition. */
  readonly time: Date;
}

const OID_DATA = '1.2.840.113549.1.7.1';
const OID_RSA = '1.2.840.113549.1.1.1';

/** Non-volatile, at boot, at run time, authenticated by time, and added to what is there. */
const APPEND_ATTRIBUTES = 0x67;
const WIN_CERT_REVISION = 0x0200;
const WIN_CERT_TYPE_EFI_GUID = 0x0ef1;
/** Length, revision, type and GUID before the signature. */
const WIN_CERT_HEADER_BYTES = 24;

/**
 * An update that adds to a variable of UEFI, signed by a key that the firmware trusts for it: the KEK for `db`. Nothing
 * that is in the variable goes away. Byte for byte what `sign-efi-sig-list -a` of efitools writes.
 *
 * @throws {SignError} `KEY_UNSUPPORTED` for other keys than RSA, `SIGNATURE_INVALID`, and what the signer throws.
 * @see https://uefi.org/specs/UEFI/2.10/08_Services_Runtime_Services.html#using-the-efi-variable-authentication-2-descriptor
 */
export async function makeAuthenticatedUpdate(
  { variable, namespace, data, time }: AuthenticatedUpdate,
  signer: Signer,
): Promise<Buffer> {
  const attributes = Buffer.alloc(4);
  attributes.writeUInt32LE(APPEND_ATTRIBUTES);
  const timestamp = writeEfiTime(time);
  const name = Buffer.from(variable, 'utf16le');
  const signed = Buffer.concat([name, writeEfiGuid(namespace), attributes, timestamp, data]);
  const signature = await signPkcs7(signed, signer);
  const header = Buffer.alloc(8);
  header.writeUInt32LE(WIN_CERT_HEADER_BYTES + signature.length, 0);
  header.writeUInt16LE(WIN_CERT_REVISION, 4);
  header.writeUInt16LE(WIN_CERT_TYPE_EFI_GUID, 6);
  return Buffer.concat([timestamp, header, writeEfiGuid(EFI_GUIDS.certPkcs7), signature, data]);
}

/** Detached SignedData in the form of PKCS#7, certificate included, without the wrapper that says what it is. */
async function signPkcs7(data: Buffer, signer: Signer): Promise<Buffer> {
  const { certificate } = signer;
  if (certificate.publicKey.asymmetricKeyType !== 'rsa') {
    throw new SignError('KEY_UNSUPPORTED', 'Cannot sign an update of UEFI variables: the key is not RSA', {
      hint: 'Firmware verifies RSA keys of 2048 bits and more.',
    });
  }
  const answer = await signer.sign({ data, hash: 'sha256' });
  if (answer.type !== 'value' || !verify('sha256', data, certificate.publicKey, answer.value)) {
    throw new SignError(
      'SIGNATURE_INVALID',
      'Cannot sign an update of UEFI variables: the signature does not fit',
      {
        hint: 'Give the certificate that belongs to the key.',
      },
    );
  }
  const digest = writeDer(DER.sequence, writeOid(oidOfHash('sha256')), writeDer(DER.null));
  const signerInfo = writeDer(
    DER.sequence,
    writeSmallInteger(1),
    writeDer(DER.sequence, certificate.issuer, certificate.serial),
    digest,
    writeDer(DER.sequence, writeOid(OID_RSA), writeDer(DER.null)),
    writeDer(DER.octetString, answer.value),
  );
  return writeDer(
    DER.sequence,
    writeSmallInteger(1),
    writeDer(DER.set, digest),
    writeDer(DER.sequence, writeOid(OID_DATA)),
    writeDer(contextTag(0), certificate.der),
    writeDer(DER.set, signerInfo),
  );
}

/** Only year to second are set, as the specification wants it of time stamps. */
function writeEfiTime(time: Date): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(time.getUTCFullYear(), 0);
  bytes.set(
    [
      time.getUTCMonth() + 1,
      time.getUTCDate(),
      time.getUTCHours(),
      time.getUTCMinutes(),
      time.getUTCSeconds(),
    ],
    2,
  );
  return bytes;
}
