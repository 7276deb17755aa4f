import { createHash, createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignError } from '../../src/errors.ts';
import { makeCommandSigner, readAnswer, type CommandSignerOptions } from '../../src/sign/command-signer.ts';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { splitSignature } from '../../src/sign/module-signature.ts';
import { toPem } from '../../src/sign/pem.ts';
import { signModule } from '../../src/sign/sign.ts';
import type { Signer } from '../../src/sign/signer.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';
import { fuzzRuns, mutated } from '../kmod/fuzz.ts';
import { makeTestIo, withTemporaryDirectory, type TestIo } from '../support/io.ts';

const plain = readModuleFixture('kl_provider.ko');
const signed = readModuleFixture('kl_provider.sha256.ko');
const cms = splitSignature(signed).cms ?? Buffer.alloc(0);
const certificate = parseCertificate(readModuleFixture('test-only-rsa.pem'));
const KEY = 'fixtures/modules/test-only-rsa.key';

/** A signer whose program is this script of Node; `crypto`, `fs`, `env` and `key` are there for it. */
function scripted(
  script: string,
  options: Partial<CommandSignerOptions> = {},
  io: TestIo = makeTestIo(),
): Signer {
  const prelude = `const crypto=require('crypto'),fs=require('fs'),{env}=process,key=fs.readFileSync('${KEY}');`;
  return makeCommandSigner(
    {
      command: [process.execPath, '-e', prelude + script],
      input: 'digest',
      timeoutMs: 60_000,
      directory: process.cwd(),
      certificate,
      ...options,
    },
    io,
  );
}

/** Signs a digest with RSA: PKCS#1 v1.5 of what names the hash and holds it. */
const SIGN_DIGEST = `
  const info=Buffer.concat([Buffer.from('3031300d060960864801650304020105000420','hex'),fs.readFileSync(0)]);
  process.stdout.write(crypto.privateEncrypt(key,info));`;

describe('makeCommandSigner()', () => {
  it('signs by a program that gets the digest, byte for byte as sign-file does', async () => {
    const result = await signModule(plain, scripted(SIGN_DIGEST), { hash: 'sha256' });

    expect(result.equals(signed)).toBe(true);
  });

  it('signs by a program that gets the file, byte for byte as sign-file does', async () => {
    const script = `process.stdout.write(crypto.sign(env.KMODLAYER_HASH,fs.readFileSync(env.KMODLAYER_FILE),key))`;

    const result = await signModule(plain, scripted(script, { input: 'file' }), { hash: 'sha512' });

    expect(result.equals(readModuleFixture('kl_provider.sha512.ko'))).toBe(true);
  });

  it('tells the program what it signs', async () => {
    const io = makeTestIo();
    const script = `
      const digest=fs.readFileSync(0).toString('hex');
      console.error([env.KMODLAYER_INPUT,env.KMODLAYER_HASH,env.KMODLAYER_MODULE,env.KMODLAYER_DIGEST===digest].join(' '));
      console.error(digest); console.error(new crypto.X509Certificate(fs.readFileSync(env.KMODLAYER_CERTIFICATE)).fingerprint256);
      process.exit(1)`;

    await expect(
      scripted(script, {}, io).sign({ data: plain, hash: 'sha384', module: 'kl_provider' }),
    ).rejects.toMatchObject({ code: 'SIGNER_FAILED' });

    expect(io.events).toEqual(
      [
        'digest sha384 kl_provider true',
        createHash('sha384').update(plain).digest('hex'),
        new X509Certificate(certificate.der).fingerprint256,
      ].map((line) => ({ type: 'program-output', program: basename(process.execPath), line })),
    );
  });

  it('gives the program the module as a file of its name', async () => {
    const io = makeTestIo();
    const script = `console.error(require('path').basename(env.KMODLAYER_FILE),fs.readFileSync(0).equals(fs.readFileSync(env.KMODLAYER_FILE)));process.exit(1)`;

    await expect(
      scripted(script, { input: 'file' }, io).sign({ data: plain, hash: 'sha256', module: 'kl_provider' }),
    ).rejects.toThrow();

    expect(io.events).toMatchObject([{ line: 'kl_provider.ko true' }]);
  });

  it.each([
    ['DER', cms],
    ['PEM', toPem('CMS', cms)],
    ['PEM of PKCS#7 with lines of their own', Buffer.from(`\n${toPem('PKCS7', cms).toString()}\n\n`)],
  ])('appends a CMS message in %s as it is', async (_form, answer) => {
    await withTemporaryDirectory(async (directory) => {
      await writeFile(join(directory, 'answer'), answer);
      const signer = scripted(`process.stdout.write(fs.readFileSync('${directory}/answer'))`);

      const result = await signModule(plain, signer, { hash: 'sha256' });

      expect(result.equals(signed)).toBe(true);
    });
  });

  it.each<[string, Buffer, RegExp]>([
    [
      'is for another module',
      splitSignature(readModuleFixture('kl_provider.sha256.ko')).cms ?? plain,
      /the signature does not fit the certificate/,
    ],
    ['has another hash', cmsOf('kl_provider.sha512.ko'), /it signed with sha512, not with sha256/],
    ['signs attributes', cmsOf('kl_provider.attributes.ko'), /it signed with sha384|attributes/],
    ['is of another key', cmsOf('kl_provider.ec.ko'), /its message names another certificate/],
    ['is cut off', cms.subarray(0, 300), /Cannot read DER: a value is cut off/],
    ['is BER', Buffer.from('308006092a864886f70d010702', 'hex'), /a length is indefinite/],
  ])('refuses a CMS message that %s', async (what, answer, message) => {
    await withTemporaryDirectory(async (directory) => {
      await writeFile(join(directory, 'answer'), answer);
      const signer = scripted(`process.stdout.write(fs.readFileSync('${directory}/answer'))`);
      const module = what === 'is for another module' ? readModuleFixture('kl_consumer.ko') : plain;

      await expect(signModule(module, signer, { hash: 'sha256' })).rejects.toMatchObject({
        code: 'SIGNATURE_INVALID',
        message: expect.stringMatching(message) as string,
      });
    });
  });

  it('refuses the value of another key', async () => {
    const script = `const {privateKey}=crypto.generateKeyPairSync('rsa',{modulusLength:2048});
      process.stdout.write(crypto.sign('sha256',fs.readFileSync(env.KMODLAYER_FILE),privateKey))`;

    await expect(
      signModule(plain, scripted(script, { input: 'file' }), { hash: 'sha256' }),
    ).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  it.each<[string, string, Partial<CommandSignerOptions>, string, RegExp]>([
    [
      'fails',
      `console.error('no token for key 5');process.exit(4)`,
      {},
      'SIGNER_FAILED',
      /ended with 4: no token for key 5$/,
    ],
    ['is killed', `process.kill(process.pid,'SIGKILL')`, {}, 'SIGNER_FAILED', /was ended by a signal/],
    [
      'hangs',
      `console.error('waiting');setTimeout(()=>0,60000)`,
      { timeoutMs: 1000 },
      'SIGNER_FAILED',
      /took over 1 s/,
    ],
    ['prints nothing', '', {}, 'SIGNER_FAILED', /printed nothing/],
    [
      'prints base64',
      `process.stdout.write(crypto.randomBytes(256).toString('base64'))`,
      {},
      'SIGNER_FAILED',
      /printed 344 bytes of text/,
    ],
    [
      'is not there',
      '',
      { command: ['./no-such-signer'] },
      'TOOL_MISSING',
      /Cannot run the signer .\/no-such-signer/,
    ],
  ])('says what happened when the program %s', async (_what, script, options, code, message) => {
    await expect(scripted(script, options).sign({ data: plain, hash: 'sha256' })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
      hint: expect.any(String) as string,
    });
  });
});

describe('readAnswer()', () => {
  it.each(['P-256', 'P-384', 'P-521'])('takes r and s of %s side by side, and as DER', (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve });
    const publicKey = createPublicKey(privateKey);
    const sideBySide = sign('sha256', plain, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const der = sign('sha256', plain, privateKey);

    const answers = [sideBySide, der].map((bytes) => readAnswer(bytes, publicKey));

    for (const answer of answers) {
      expect(answer.type).toBe('value');
      const value = answer.type === 'value' ? answer.value : Buffer.alloc(0);
      expect(value[0]).toBe(0x30);
    }
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(fc.oneof(mutated(cms), mutated(toPem('CMS', cms))), (bytes) => {
        try {
          readAnswer(bytes, certificate.publicKey);
        } catch (error) {
          expect(error).toBeInstanceOf(SignError);
        }
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

function cmsOf(name: string): Buffer {
  return splitSignature(readModuleFixture(name)).cms ?? Buffer.alloc(0);
}
