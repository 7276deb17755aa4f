import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EFI_GUIDS, parseEfiSignatureLists } from '../../../src/sign/efi-signature-list.ts';
import { enrolmentVariables, type EnrolPlace } from '../../../src/verify/boot/enrolment.ts';
import { findPeHash } from '../../../src/verify/boot/pe-hash.ts';
import { fuzzRuns, mutated } from '../../kmod/fuzz.ts';

const CERTIFICATE = new X509Certificate(readFileSync('fixtures/modules/test-only-rsa.pem')).raw;
const OWNER = new X509Certificate(readFileSync('fixtures/modules/test-only-ec.pem')).raw;

/** A PE image without sections, with a certificate of eight bytes at its end. */
function peImage(checksum = 1, certificate = 'signed!!'): Buffer {
  const image = Buffer.alloc(512);
  image.write('MZ');
  image.writeUInt32LE(0x80, 0x3c);
  image.write('PE\0\0', 0x80);
  const optional = 0x80 + 24;
  image.writeUInt16LE(0x20b, optional);
  image.writeUInt32LE(checksum, optional + 64);
  image.writeUInt32LE(512, optional + 112 + 4 * 8);
  image.writeUInt32LE(8, optional + 112 + 4 * 8 + 4);
  return Buffer.concat([image, Buffer.from(certificate)]);
}

function databases(
  place: EnrolPlace,
  kernel: Uint8Array = peImage(),
): Readonly<Record<string, readonly Buffer[]>> {
  const variables = enrolmentVariables({ certificates: [CERTIFICATE], place, owner: OWNER, kernel });
  return Object.fromEntries(
    variables
      .filter(({ data }) => data.length > 1)
      .map(({ name, data }) => [name, parseEfiSignatureLists(data).map((entry) => Buffer.from(entry.data))]),
  );
}

describe('enrolmentVariables()', () => {
  it('puts certificates and the hash of the kernel into db', () => {
    const { PK, KEK, db, MokListRT } = databases('db');

    expect([PK, KEK]).toEqual([[OWNER], [OWNER]]);
    expect(db).toEqual([CERTIFICATE, findPeHash(peImage())]);
    expect(MokListRT).toBeUndefined();
  });

  it('puts certificates into the list of shim, and into no database', () => {
    const { db, MokListRT } = databases('mok');

    expect(db).toEqual([findPeHash(peImage())]);
    expect(MokListRT).toEqual([CERTIFICATE]);
  });

  it('never leaves db empty, which firmware takes for none', () => {
    expect(databases('mok', Buffer.from('no PE image'))['db']).toEqual([OWNER]);
  });

  it('turns Secure Boot on', () => {
    const names = enrolmentVariables({ certificates: [], place: 'db', owner: OWNER, kernel: peImage() });

    expect(names.map(({ name }) => name)).toEqual(['PK', 'KEK', 'db', 'SecureBootEnable']);
    expect(names[2]?.namespace).toBe(EFI_GUIDS.imageSecurityDatabase);
  });
});

describe('findPeHash()', () => {
  it('passes over the checksum and the certificates, and over nothing else', () => {
    const other = peImage();
    other.writeUInt8(1, 300);

    expect(findPeHash(peImage(2, 'other!!!'))).toEqual(findPeHash(peImage()));
    expect(findPeHash(other)).not.toEqual(findPeHash(peImage()));
  });

  it('gives undefined or 32 bytes, whatever the file', () => {
    fc.assert(
      fc.property(mutated(peImage()), (bytes) => {
        expect([undefined, 32]).toContain(findPeHash(bytes)?.length);
      }),
      { numRuns: fuzzRuns(10_000) },
    );
  });
});
