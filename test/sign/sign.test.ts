import { generateKeyPairSync, sign as signRaw } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { parseSignedData } from '../../src/sign/cms.ts';
import { describeSignature } from '../../src/sign/describe-signature.ts';
import { makeKeyFileSigner } from '../../src/sign/key-file.ts';
import { splitSignature } from '../../src/sign/module-signature.ts';
import { signModule, signModuleByAll } from '../../src/sign/sign.ts';
import type { Signer } from '../../src/sign/signer.ts';
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
    const liar: Signer = {
      certificate: rsa.certificate,
      sign: async ({ data }) => ({ type: 'value', value: signRaw('sha256', data, privateKey) }),
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

describe('signModuleByAll()', () => {
  it('makes one message that each of two signers vouches for', async () => {
    const signed = await signModuleByAll(plain, [
      { signer: ec, hash: 'sha384' },
      { signer: rsa, hash: 'sha256' },
    ]);

    expect(verifyModuleSignature(signed, [rsa.certificate])).toMatchObject({
      status: 'valid',
      hash: 'sha256',
    });
    expect(verifyModuleSignature(signed, [ec.certificate])).toMatchObject({
      status: 'valid',
      hash: 'sha384',
    });
    expect(verifyModuleSignature(signed, [])).toMatchObject({ status: 'unknown-key' });
    expect(describeSignature(signed)?.signers).toHaveLength(2);
  });

  it('says that it is tampered with when one of two known signers does not hold', async () => {
    const signed = await signModuleByAll(plain, [
      { signer: ec, hash: 'sha256' },
      { signer: rsa, hash: 'sha256' },
    ]);
    const { signers } = parseSignedData(splitSignature(signed).cms ?? Buffer.alloc(0));
    const value = signers.find(({ signatureOid }) => signatureOid === '1.2.840.113549.1.1.1')?.signature;
    const at = signed.indexOf(value ?? 'nothing');
    signed[at] = (signed[at] ?? 0) ^ 1;

    const verdict = verifyModuleSignature(signed, [ec.certificate, rsa.certificate]);

    expect(at).toBeGreaterThan(0);
    expect(verdict).toMatchObject({ status: 'invalid', reason: 'tampered' });
    expect(verifyModuleSignature(signed, [ec.certificate])).toMatchObject({ status: 'valid' });
  });

  it('refuses to name two signers in two ways, which kernels do not read', async () => {
    const requests = [
      { signer: rsa, hash: 'sha256', useKeyId: true },
      { signer: ec, hash: 'sha256' },
    ] as const;

    await expect(signModuleByAll(plain, requests)).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
      message: expect.stringContaining('its signers are not named in one way') as string,
    });
  });

  it('tells signers the name of the module', async () => {
    const names: unknown[] = [];
    const listening: Signer = {
      certificate: rsa.certificate,
      sign: (request) => {
        names.push(request.module);
        return rsa.sign(request);
      },
    };

    await signModuleByAll(plain, [{ signer: listening, hash: 'sha256' }], 'kl_provider');

    expect(names).toEqual(['kl_provider']);
  });
});
