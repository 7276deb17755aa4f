import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { isSignedData, parseSignedData, writeSignedData, writeSignerInfo } from '../../src/sign/cms.ts';
import { writeDer } from '../../src/sign/der.ts';
import { splitSignature } from '../../src/sign/module-signature.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

describe('writeSignedData()', () => {
  it.each([
    ['kl_provider.sha256.ko', 'test-only-rsa.pem', 'rsa', 'sha256', 'issuer-and-serial'],
    ['kl_provider.sha512.ko', 'test-only-rsa.pem', 'rsa', 'sha512', 'issuer-and-serial'],
    ['kl_provider.key-id.ko', 'test-only-rsa.pem', 'rsa', 'sha256', 'key-id'],
    ['kl_provider.ec.ko', 'test-only-ec.pem', 'ec', 'sha256', 'issuer-and-serial'],
  ] as const)('writes the message of %s around its signature value', (name, pem, keyType, hash, kind) => {
    const theirs = cmsOf(name);
    const { issuer, serial, subjectKeyId = Buffer.alloc(0) } = parseCertificate(readModuleFixture(pem));
    const id = kind === 'key-id' ? { kind, keyId: subjectKeyId } : { kind, issuer, serial };

    const [signer] = parseSignedData(theirs).signers;
    const signature = signer?.signature ?? Buffer.alloc(0);
    const ours = writeSignedData([writeSignerInfo({ id, keyType, hash, signature })]);

    expect(signer?.id).toEqual(id);
    expect(ours.toString('hex')).toBe(theirs.toString('hex'));
  });
});

describe('isSignedData()', () => {
  it('tells a message from other DER, whatever its length', () => {
    const value = writeDer(0x30, writeDer(0x02, Buffer.from([1])), writeDer(0x02, Buffer.from([2])));

    expect(isSignedData(cmsOf('kl_provider.sha256.ko'))).toBe(true);
    expect(isSignedData(Buffer.from('308006092a864886f70d010702', 'hex'))).toBe(true);
    expect(isSignedData(value)).toBe(false);
    expect(isSignedData(Buffer.alloc(0))).toBe(false);
  });
});

describe('parseSignedData()', () => {
  it('reads the hash of the content from the attributes of a signer', () => {
    const [signer] = parseSignedData(cmsOf('kl_provider.attributes.ko')).signers;

    expect(signer?.attributes?.messageDigest).toHaveLength(48);
    expect(signer?.attributes?.signedBytes[0]).toBe(0x31);
  });

  it.each([
    ['another kind of message', '1.2.840.113549.1.7.2', '1.2.840.113549.1.7.3', 'it is no SignedData'],
    ['something else than data', '1.2.840.113549.1.7.1', '1.2.840.113549.1.7.5', 'what it signs is no data'],
  ])('refuses %s', (_what, from, to, message) => {
    const last = (oid: string): number => Number(oid.split('.').at(-1));
    const bytes = Buffer.from(cmsOf('kl_provider.sha256.ko'));
    const at = bytes.indexOf(Buffer.from([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last(from)]));
    bytes[at + 8] = last(to);

    expect(() => parseSignedData(bytes)).toThrow(message);
  });

  it('refuses what is not DER', () => {
    expect(() => parseSignedData(writeDer(0x04, Buffer.alloc(3)))).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
    );
  });
});

function cmsOf(name: string): Buffer {
  return splitSignature(readModuleFixture(name)).cms ?? Buffer.alloc(0);
}
