import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../src/sign/certificate.ts';
import { splitSignature } from '../../../src/sign/module-signature.ts';
import { makeThrowAwayKey, type ThrowAwayKey } from '../../../src/sign/throw-away-key.ts';
import { verifyModuleSignature } from '../../../src/sign/verify-signature.ts';
import { judgeControl, makeControls } from '../../../src/verify/boot/controls.ts';

const SIGNED = readFileSync('fixtures/modules/kl_provider.sha256.ko');
const TRUSTED = parseCertificate(readFileSync('fixtures/modules/test-only-rsa.pem'));

let wrongKey: ThrowAwayKey;

beforeAll(async () => {
  wrongKey = await makeThrowAwayKey('Nobody', new Date());
});

describe('makeControls()', () => {
  it('makes a copy without signature, one that was changed, and one that another key signed', async () => {
    const controls = await makeControls('kl_provider', SIGNED, wrongKey);

    expect(controls.map(({ kind }) => kind)).toEqual(['unsigned', 'tampered', 'wrong-key']);
    const [unsigned, tampered, wrong] = controls.map(({ bytes }) => Buffer.from(bytes));
    expect(verifyModuleSignature(SIGNED, [TRUSTED])).toMatchObject({ status: 'valid' });
    expect(splitSignature(unsigned ?? SIGNED)).toEqual({
      module: splitSignature(SIGNED).module,
      cms: undefined,
    });
    expect(verifyModuleSignature(tampered ?? SIGNED, [TRUSTED])).toMatchObject({ status: 'invalid' });
    expect(verifyModuleSignature(wrong ?? SIGNED, [TRUSTED])).not.toMatchObject({ status: 'valid' });
    expect(verifyModuleSignature(wrong ?? SIGNED, [parseCertificate(wrongKey.certificate)])).toMatchObject({
      status: 'valid',
    });
  });

  it('changes one bit, and leaves the signature as it is', async () => {
    const [, tampered] = await makeControls('kl_provider', SIGNED, wrongKey);

    const bytes = Buffer.from(tampered?.bytes ?? []);
    const changed = [...SIGNED.keys()].filter((at) => bytes[at] !== SIGNED[at]);
    expect(bytes).toHaveLength(SIGNED.length);
    expect(changed).toHaveLength(1);
    expect(changed[0]).toBeLessThan(splitSignature(SIGNED).module.length);
  });

  it('takes modules as they are installed', async () => {
    const xz = readFileSync('fixtures/modules/kl_provider.ko.xz');

    const [unsigned] = await makeControls('kl_provider', xz, wrongKey);

    expect(unsigned?.bytes).toEqual(readFileSync('fixtures/modules/kl_provider.ko'));
  });
});

describe('judgeControl()', () => {
  it.each([
    ['Key was rejected by service', true],
    ['Required key not available', true],
    ['Loading of unsigned module is rejected', true],
    ['Operation not permitted', true],
    ['Unknown symbol in module', false],
  ])('a refusal with %j is a proof: %s', (message, isProof) => {
    expect(judgeControl({ outcome: 'refused', messages: [message] })).toEqual({
      outcome: 'refused',
      isProof,
    });
  });

  it('a copy that was loaded is none', () => {
    expect(judgeControl({ outcome: 'loaded', messages: [] }).isProof).toBe(false);
  });
});
