import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { appendSignature, splitSignature } from '../../src/sign/module-signature.ts';
import { verifyModuleSignature } from '../../src/sign/verify-signature.ts';
import { fuzzRuns, mutated } from '../kmod/fuzz.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

const rsa = parseCertificate(readModuleFixture('test-only-rsa.pem'));
const ec = parseCertificate(readModuleFixture('test-only-ec.pem'));
const signed = readModuleFixture('kl_provider.sha256.ko');

describe('verifyModuleSignature()', () => {
  it.each([
    ['kl_provider.sha256.ko', 'sha256', rsa],
    ['kl_provider.sha512.ko', 'sha512', rsa],
    ['kl_provider.key-id.ko', 'sha256', rsa],
    ['kl_provider.ec.ko', 'sha256', ec],
  ] as const)('accepts %s, which was signed by other tools', (name, hash, certificate) => {
    const verdict = verifyModuleSignature(readModuleFixture(name), [rsa, ec]);

    expect(verdict).toEqual({ status: 'valid', hash, certificate });
  });

  it('says that a module is unsigned', () => {
    expect(verifyModuleSignature(readModuleFixture('kl_provider.ko'), [rsa])).toEqual({ status: 'unsigned' });
  });

  it('says whom it does not know', () => {
    expect(verifyModuleSignature(signed, [ec])).toEqual({
      status: 'unknown-key',
      id: { kind: 'issuer-and-serial', issuer: rsa.issuer, serial: rsa.serial },
    });
  });

  it.each(['kl_provider.sha256.ko', 'kl_provider.ec.ko'])(
    'refuses %s with one byte of the module changed',
    (name) => {
      const bytes = Buffer.from(readModuleFixture(name));
      bytes[1000] = (bytes[1000] ?? 0) ^ 1;

      expect(verifyModuleSignature(bytes, [rsa, ec])).toMatchObject({
        status: 'invalid',
        reason: 'tampered',
      });
    },
  );

  it('refuses signed attributes, as the kernel does', () => {
    expect(verifyModuleSignature(readModuleFixture('kl_provider.attributes.ko'), [rsa])).toEqual({
      status: 'invalid',
      reason: 'malformed',
      why: 'it signs attributes, too, which kernels refuse for modules',
    });
  });

  it('checks the last signature of two, over the module and the first', () => {
    const cms = splitSignature(signed).cms ?? Buffer.alloc(0);

    expect(verifyModuleSignature(appendSignature(signed, cms), [rsa])).toMatchObject({ status: 'invalid' });
  });

  it('refuses what is no CMS message', () => {
    const plain = readModuleFixture('kl_provider.ko');

    for (const cms of [
      Buffer.alloc(0),
      Buffer.from('signature'),
      Buffer.from([0x30, 0]),
      Buffer.alloc(500),
    ]) {
      expect(verifyModuleSignature(appendSignature(plain, cms), [rsa])).toMatchObject({ status: 'invalid' });
    }
  });

  it('refuses a message with a byte after it', () => {
    const { module, cms } = splitSignature(signed);
    const longer = Buffer.concat([cms ?? Buffer.alloc(0), Buffer.alloc(1)]);

    expect(verifyModuleSignature(appendSignature(module, longer), [rsa])).toEqual({
      status: 'invalid',
      reason: 'malformed',
      why: 'Cannot read a CMS message: bytes follow it',
    });
  });

  it('never throws, and never accepts a damaged message as someone else', () => {
    const { module, cms } = splitSignature(signed);

    fc.assert(
      fc.property(mutated(cms ?? Buffer.alloc(0)), (damaged) => {
        const verdict = verifyModuleSignature(appendSignature(module, damaged), [ec]);

        expect(['invalid', 'unknown-key']).toContain(verdict.status);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});
