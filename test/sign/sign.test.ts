import { generateKeyPairSync, sign as signRaw } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { makeKeyFileSigner } from '../../src/sign/key-file.ts';
import { signModule } from '../../src/sign/sign.ts';
import { verifyModuleSignature } from '../../src/sign/verify-signature.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

const plain = readModuleFixture('kl_provider.ko');
const rsa = makeKeyFileSigner({
  key: readModuleFixture('test-only-rsa.key'),
  certificate: readModuleFixture('test-only-rsa.pem'),
});
const ec = makeKeyFileSigner({
  key: readModuleFixture('test-only-ec.key'),
  certificate: readModuleFixture('test-only-ec.pem'),
});

describe('signModule()', () => {
  it.each([
    ['sha256', 'kl_provider.sha256.ko', false],
    ['sha512', 'kl_provider.sha512.ko', false],
    ['sha256', 'kl_provider.key-id.ko', true],
  ] as const)('writes with %s the bytes of sign-file in %s', async (hash, expected, useKeyId) => {
    const signed = await signModule(plain, rsa, { hash, useKeyId });

    expect(signed.equals(readModuleFixture(expected))).toBe(true);
  });

  it('takes an old signature off first, so that signing again gives the same bytes', async () => {
    const first = await signModule(plain, rsa, { hash: 'sha512' });

    const second = await signModule(first, rsa, { hash: 'sha256' });

    expect(second.equals(readModuleFixture('kl_provider.sha256.ko'))).toBe(true);
  });

  it('signs with ECDSA', async () => {
    const signed = await signModule(plain, ec, { hash: 'sha256' });

    expect(verifyModuleSignature(signed, [ec.certificate])).toMatchObject({
      status: 'valid',
      hash: 'sha256',
    });
  });

  it.each(['xz', 'zst', 'gz'])('refuses a module compressed as %s', async (compression) => {
    const packed = readModuleFixture(`kl_provider.ko.${compression}`);

    await expect(signModule(packed, rsa, { hash: 'sha256' })).rejects.toMatchObject({
      code: 'MODULE_INVALID',
      hint: expect.stringContaining('before compressing') as string,
    });
  });

  it('refuses a file that is no module', async () => {
    await expect(signModule(Buffer.from('text'), rsa, { hash: 'sha256' })).rejects.toMatchObject({
      code: 'MODULE_INVALID',
    });
  });

  it('refuses a signer whose key is not the one of its certificate', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const liar = {
      certificate: rsa.certificate,
      sign: (data: Uint8Array) => Promise.resolve(signRaw('sha256', data, privateKey)),
    };

    await expect(signModule(plain, liar, { hash: 'sha256' })).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    });
  });

  it('refuses to name the key when the certificate does not', async () => {
    const certificate = parseCertificate(readModuleFixture('test-only-tls.pem'));

    await expect(
      signModule(plain, { ...rsa, certificate }, { hash: 'sha256', useKeyId: true }),
    ).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });
});
