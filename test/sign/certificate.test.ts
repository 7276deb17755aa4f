import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SignError } from '../../src/errors.ts';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { fuzzRuns, mutated } from '../kmod/fuzz.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

const pem = readModuleFixture('test-only-rsa.pem');

describe('parseCertificate()', () => {
  it('reads what signatures name, from PEM and from DER', () => {
    const certificate = parseCertificate(pem);
    const { raw } = new X509Certificate(pem);

    const fromDer = parseCertificate(raw);

    expect(certificate).toMatchObject({
      subjectCommonName: 'Test only, trust nowhere',
      issuerCommonName: 'Test only, trust nowhere',
      mayDigitallySign: true,
      mayCodeSign: true,
      isCa: true,
      signatureOid: '1.2.840.113549.1.1.11',
    });
    expect(certificate.serial.toString('hex')).toBe('020900e1d2c3b4a5968778');
    expect(certificate.subjectKeyId?.toString('hex')).toBe('76e3e55c2e7607b72e096be101768c9396672679');
    expect(raw.includes(certificate.issuer)).toBe(true);
    expect(fromDer.der.equals(certificate.der)).toBe(true);
  });

  it('finds the certificate in a PEM file that holds the key, too', () => {
    const both = Buffer.concat([readModuleFixture('test-only-rsa.key'), pem]);

    expect(parseCertificate(both).der.equals(parseCertificate(pem).der)).toBe(true);
  });

  it('refuses a key and other things that are no certificate', () => {
    for (const bytes of [
      readModuleFixture('test-only-rsa.key'),
      Buffer.alloc(0),
      Buffer.from('certificate'),
    ]) {
      expect(() => parseCertificate(bytes)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_INVALID' }));
    }
  });

  it('throws nothing but its own errors for a damaged certificate', () => {
    const { raw } = new X509Certificate(pem);

    fc.assert(
      fc.property(mutated(raw), (bytes) => {
        expect(parses(bytes)).toBe(true);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

function parses(bytes: Buffer): boolean {
  try {
    parseCertificate(bytes);
    return true;
  } catch (error) {
    return error instanceof SignError;
  }
}
