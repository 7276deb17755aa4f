import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { makeKeyFileSigner } from '../../src/sign/key-file.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

const certificate = readModuleFixture('test-only-rsa.pem');
const pem = readModuleFixture('test-only-rsa.key');
const key = createPrivateKey(pem);
const data = Buffer.from('to be signed');

describe('makeKeyFileSigner()', () => {
  it.each<[string, Buffer]>([
    ['PKCS#8 in PEM', pem],
    ['PKCS#8 in DER', key.export({ format: 'der', type: 'pkcs8' })],
    ['PKCS#1 in PEM', Buffer.from(key.export({ format: 'pem', type: 'pkcs1' }))],
    ['PKCS#1 in DER', key.export({ format: 'der', type: 'pkcs1' })],
    ['a file with the certificate before it', Buffer.concat([certificate, pem])],
  ])('signs with a key in %s', async (_form, bytes) => {
    const expected = await makeKeyFileSigner({ key: pem, certificate }).sign({ data, hash: 'sha256' });

    const answer = await makeKeyFileSigner({ key: bytes, certificate }).sign({ data, hash: 'sha256' });

    expect(answer).toEqual(expected);
  });

  it.each(['pem', 'der'] as const)(
    'signs with an encrypted key in %s when the passphrase is right',
    async (format) => {
      const bytes = encrypted(format);

      const signer = makeKeyFileSigner({ key: bytes, passphrase: 'open sesame', certificate });

      expect(await signer.sign({ data, hash: 'sha512' })).toMatchObject({ value: { length: 256 } });
      expect(() => makeKeyFileSigner({ key: bytes, passphrase: 'wrong', certificate })).toThrow(
        expect.objectContaining({ code: 'KEY_UNREADABLE' }),
      );
      expect(() => makeKeyFileSigner({ key: bytes, certificate })).toThrow(
        expect.objectContaining({ code: 'KEY_UNREADABLE' }),
      );
    },
  );

  it.each<[string, Buffer, string | undefined, RegExp]>([
    ['an encrypted key without its passphrase', encrypted('pem'), undefined, /it is encrypted/],
    ['the same in DER', encrypted('der'), undefined, /it is encrypted/],
    ['a wrong passphrase', encrypted('pem'), 'wrong', /the passphrase is wrong/],
    ['a wrong passphrase for DER', encrypted('der'), 'wrong', /the passphrase is wrong/],
    ['a certificate', certificate, undefined, /it holds a certificate only/],
    [
      'a public key',
      Buffer.from(createPublicKey(key).export({ format: 'pem', type: 'spki' })),
      undefined,
      /it holds a public key only/,
    ],
    [
      'a key of OpenSSH',
      Buffer.from('-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n'),
      undefined,
      /it is a key of OpenSSH/,
    ],
    ['PKCS#12', Buffer.from('3082010002010330820100', 'hex'), undefined, /it is PKCS#12/],
    ['text', Buffer.from('key'), undefined, /it is none, or damaged/],
  ])('says what is wrong with %s', (_what, bytes, passphrase, message) => {
    expect(() => makeKeyFileSigner({ key: bytes, passphrase, certificate })).toThrow(
      expect.objectContaining({ code: 'KEY_UNREADABLE', message: expect.stringMatching(message) as string }),
    );
  });

  it('refuses a certificate that belongs to another key', () => {
    expect(() => makeKeyFileSigner({ key: readModuleFixture('test-only-ec.key'), certificate })).toThrow(
      expect.objectContaining({ code: 'KEY_MISMATCH' }),
    );
  });

  it('still reads other keys after a mismatch', () => {
    expect(() => makeKeyFileSigner({ key: readModuleFixture('test-only-ec.key'), certificate })).toThrow();

    const signer = makeKeyFileSigner({ key: key.export({ format: 'der', type: 'pkcs8' }), certificate });

    expect(signer.certificate.subjectCommonName).toBe('Test only, trust nowhere');
  });

  it('names the type of a key that the kernel cannot verify', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const bytes = privateKey.export({ format: 'der', type: 'pkcs8' });

    expect(() => makeKeyFileSigner({ key: bytes, certificate })).toThrow(
      expect.objectContaining({
        code: 'KEY_UNSUPPORTED',
        message: 'Cannot sign modules with a key of type ed25519',
      }),
    );
  });

  it('never shows a part of the key, in errors or when it is printed', () => {
    const secret = pem.toString().split('\n')[5] ?? 'no sixth line';
    const cut = pem.subarray(0, pem.length - 200);

    const signer = makeKeyFileSigner({ key: pem, certificate });
    const error = caught(() => makeKeyFileSigner({ key: cut, certificate }));

    expect(secret).toHaveLength(64);
    expect(inspect(error, { depth: 9 })).not.toContain(secret);
    expect(inspect(signer, { depth: 9 })).not.toContain(secret);
    expect(error).toMatchObject({ code: 'KEY_UNREADABLE' });
  });
});

function encrypted(format: 'pem' | 'der'): Buffer {
  const options = { type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'open sesame' } as const;
  return Buffer.from(
    format === 'pem' ? key.export({ ...options, format: 'pem' }) : key.export({ ...options, format: 'der' }),
  );
}

function caught(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
