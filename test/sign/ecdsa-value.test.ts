import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ecdsaNumberBytes, ecdsaValueFrom } from '../../src/sign/ecdsa-value.ts';

describe('ecdsaValueFrom()', () => {
  it.each(['P-256', 'P-384', 'P-521', 'secp256k1'])('gives DER that verifies, with %s', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });

    for (let message = 0; message < 20; message++) {
      const data = Buffer.from(`message ${message}`);
      const sideBySide = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });

      expect(sideBySide).toHaveLength(2 * (ecdsaNumberBytes(createPublicKey(privateKey)) ?? 0));
      expect(verify('sha256', data, publicKey, ecdsaValueFrom(sideBySide))).toBe(true);
    }
  });

  it('writes numbers as short as DER wants them, and positive', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (number) => {
        const r = BigInt(`0x${Buffer.from(number).toString('hex')}`);
        const der = ecdsaValueFrom(Buffer.concat([number, Buffer.alloc(32)]));
        const digits = der.subarray(4, 4 + (der[3] ?? 0));

        expect(BigInt(`0x${digits.toString('hex')}`)).toBe(r);
        expect((digits[0] ?? 0) < 0x80).toBe(true);
        expect(digits.length === 1 || digits[0] !== 0 || (digits[1] ?? 0) >= 0x80).toBe(true);
        expect(der.subarray(4 + digits.length).toString('hex')).toBe('020100');
      }),
    );
  });
});

describe('ecdsaNumberBytes()', () => {
  it('is undefined for RSA', () => {
    expect(ecdsaNumberBytes(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)).toBeUndefined();
  });
});
