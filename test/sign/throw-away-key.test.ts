import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { certificateWarnings } from '../../src/sign/certificate-warnings.ts';
import { makeThrowAwayKey } from '../../src/sign/throw-away-key.ts';

const NOW = new Date('2026-11-20T12:00:00Z');

describe('makeThrowAwayKey()', () => {
  it('makes a certificate that its own key signed, for signing code', async () => {
    const { certificate, privateKey } = await makeThrowAwayKey('A name', NOW);

    const parsed = new X509Certificate(certificate);
    expect(parsed.subject).toBe('CN=A name');
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(
      parsed.checkPrivateKey(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))),
    ).toBe(true);
    expect(certificateWarnings(parseCertificate(certificate), NOW)).toMatchObject([{ code: 'expires-soon' }]);
    expect(parseCertificate(certificate)).toMatchObject({ mayDigitallySign: true, mayCodeSign: true });
  });

  it('makes what openssl reads', async () => {
    const { certificate } = await makeThrowAwayKey('A name', NOW);

    const text = execFileSync('openssl', ['x509', '-inform', 'DER', '-noout', '-text'], {
      input: certificate,
      encoding: 'utf8',
    });

    expect(text).toContain('Version: 3');
    expect(text).toContain('Not Before: Nov 19 12:00:00 2026 GMT');
    expect(text).toContain('Code Signing');
    expect(text).toContain('X509v3 Subject Key Identifier');
  });

  it('makes another key each time', async () => {
    const [one, other] = await Promise.all([makeThrowAwayKey('A', NOW), makeThrowAwayKey('A', NOW)]);

    expect(one.certificate.equals(other.certificate)).toBe(false);
  });
});
