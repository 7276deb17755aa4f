import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressModule } from '../../src/kmod/compression.ts';
import { describeSignature } from '../../src/sign/describe-signature.ts';
import { makeKeyFileSigner } from '../../src/sign/key-file.ts';
import { splitSignature, stripSignature } from '../../src/sign/module-signature.ts';
import { signModule } from '../../src/sign/sign.ts';
import type { Signer } from '../../src/sign/signer.ts';
import { verifyModuleSignature } from '../../src/sign/verify-signature.ts';
import { listDebianKernels, sampleModules } from '../support/kernels.ts';

const run = promisify(execFile);
const [kernel] = listDebianKernels();
const fixture = join(import.meta.dirname, '../../fixtures/modules/kl_consumer.ko');

const KEYS = {
  'rsa-2048': ['-newkey', 'rsa:2048'],
  'rsa-4096': ['-newkey', 'rsa:4096'],
  'ec-256': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'ec-384': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
} as const;
type KeyName = keyof typeof KEYS;

let scratch: string;
let original: Buffer;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-sign-'));
  original = await readFile(fixture);
  for (const [name, options] of Object.entries(KEYS)) {
    const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)];
    await run('openssl', [
      'req',
      '-new',
      '-x509',
      '-nodes',
      ...options,
      ...files,
      '-subj',
      `/O=Acme/CN=Acme ${name}`,
    ]);
  }
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe.each(['rsa-2048', 'rsa-4096'] as const)('signModule() with %s', (name) => {
  describe.each(['sha256', 'sha384', 'sha512'] as const)('and %s', (hash) => {
    it.each([false, true])('writes the bytes of sign-file (-k: %s)', async (useKeyId) => {
      const flags = useKeyId ? ['-k'] : [];
      const theirs = path(`${name}-${hash}-${String(useKeyId)}.ko`);
      await run(kernel.signFile, [...flags, hash, path(`${name}.key`), path(`${name}.pem`), fixture, theirs]);

      const ours = await signModule(original, await signerOf(name), { hash, useKeyId });

      expect(ours.equals(await readFile(theirs))).toBe(true);
    });

    it('writes the message of openssl cms', async () => {
      const theirs = path(`${name}-${hash}.cms`);
      const keys = ['-signer', path(`${name}.pem`), '-inkey', path(`${name}.key`)];
      const form = ['-binary', '-noattr', '-nocerts', '-nosmimecap', '-md', hash, '-outform', 'DER'];
      await run('openssl', ['cms', '-sign', ...form, ...keys, '-in', fixture, '-out', theirs]);

      const ours = await signModule(original, await signerOf(name), { hash });

      expect(splitSignature(ours).cms?.equals(await readFile(theirs))).toBe(true);
    });
  });

  it('writes, for a module that another key signed, what sign-file writes for the unsigned one', async () => {
    const theirs = path(`${name}-again.ko`);
    await run(kernel.signFile, ['sha256', path(`${name}.key`), path(`${name}.pem`), fixture, theirs]);
    const other = await signModule(original, await signerOf('ec-256'), { hash: 'sha512' });

    const ours = await signModule(other, await signerOf(name), { hash: 'sha256' });

    expect(ours.equals(await readFile(theirs))).toBe(true);
  });
});

describe('signModule()', () => {
  it.each(['rsa-2048', 'ec-256'] as const)('gives modinfo the signer to show, with %s', async (name) => {
    const file = path(`shown-${name}.ko`);
    const signed = await signModule(original, await signerOf(name), { hash: 'sha384' });
    await writeFile(file, signed);

    const shown = await modinfo(file);

    const description = describeSignature(signed);
    expect(shown).toMatchObject({ sig_id: 'PKCS#7', signer: `Acme ${name}`, sig_hashalgo: 'sha384' });
    expect(shown['sig_key']?.replaceAll(/\s/g, '')).toBe(description?.key);
  });

  it.each([
    ['ec-256', 'sha256'],
    ['ec-384', 'sha384'],
    ['ec-384', 'sha512'],
  ] as const)('makes signatures with %s and %s that openssl verifies', async (name, hash) => {
    const { module, cms } = splitSignature(await signModule(original, await signerOf(name), { hash }));
    await writeFile(path('ec.cms'), cms ?? '');
    await writeFile(path('ec.ko'), module);
    await writeFile(path('ec-tampered.ko'), Buffer.concat([module, Buffer.from('x')]));

    await expect(opensslVerify(name, path('ec.ko'))).resolves.toMatchObject({ stderr: /successful/ });
    await expect(opensslVerify(name, path('ec-tampered.ko'))).rejects.toThrow(/digest failure|failure/i);
  });

  it.each([
    ['PKCS#8 with scrypt', ['pkcs8', '-topk8', '-scrypt', '-v2', 'aes-256-cbc']],
    ['PKCS#8 with Triple DES', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES']],
    ['PKCS#8 in DER', ['pkcs8', '-topk8', '-outform', 'DER']],
  ])('takes a key encrypted as %s', async (_form, command) => {
    await run('openssl', [
      ...[...command, '-in', path('rsa-2048.key'), '-out', path('encrypted.key')],
      ...['-passout', 'pass:open sesame'],
    ]);

    const signer = makeKeyFileSigner({
      key: await readFile(path('encrypted.key')),
      passphrase: 'open sesame',
      certificate: await readFile(path('rsa-2048.pem')),
    });

    const expected = await signModule(original, await signerOf('rsa-2048'), { hash: 'sha256' });
    expect((await signModule(original, signer, { hash: 'sha256' })).equals(expected)).toBe(true);
  });

  it('takes keys as openssl encrypts them, in both forms of PEM', async () => {
    const expected = await signModule(original, await signerOf('rsa-2048'), { hash: 'sha256' });
    const secret = ['-aes256', '-passout', 'pass:open sesame'];
    const key = ['-in', path('rsa-2048.key')];
    await run('openssl', ['rsa', '-traditional', ...key, ...secret, '-out', path('traditional.key')]);
    await run('openssl', ['pkey', ...key, ...secret, '-out', path('pkcs8.key')]);
    await run('openssl', [
      'x509',
      '-in',
      path('rsa-2048.pem'),
      '-outform',
      'DER',
      '-out',
      path('rsa-2048.der'),
    ]);

    for (const form of ['traditional.key', 'pkcs8.key']) {
      const signer = makeKeyFileSigner({
        key: await readFile(path(form)),
        passphrase: 'open sesame',
        certificate: await readFile(path('rsa-2048.der')),
      });

      expect((await signModule(original, signer, { hash: 'sha256' })).equals(expected)).toBe(true);
    }
  });
});

describe('compressModule()', () => {
  it.each([
    ['xz', ['xz', '--test', '--format=xz'], ['xz', '-dc']],
    ['zst', ['zstd', '-tq'], ['zstd', '-dcq']],
    ['gz', ['gzip', '-t'], ['gzip', '-dc']],
  ] as const)(
    'packs a signed module as %s for its own tools, and for modinfo',
    async (kind, test, unpack) => {
      const file = path(`packed.ko.${kind}`);
      const large = Buffer.concat([original, randomBytes(300_000)]);
      for (const module of [
        large,
        await signModule(original, await signerOf('rsa-2048'), { hash: 'sha256' }),
      ]) {
        await writeFile(file, await compressModule(module, kind));

        await run(test[0], [...test.slice(1), file]);
        const { stdout } = await run(unpack[0], [...unpack.slice(1), file], {
          encoding: 'buffer',
          maxBuffer: 10_000_000,
        });
        expect(stdout.equals(module)).toBe(true);
      }

      // Debian's kmod reads no gzip.
      if (kind !== 'gz')
        expect(await modinfo(file)).toMatchObject({ sig_id: 'PKCS#7', signer: 'Acme rsa-2048' });
    },
  );
});

describe('verifyModuleSignature()', () => {
  it('agrees with sign-file on which key signed, and on what was changed', async () => {
    const file = path('theirs.ko');
    await run(kernel.signFile, ['sha256', path('ec-384.key'), path('ec-384.pem'), fixture, file]);
    const { certificate } = await signerOf('ec-384');
    const signed = await readFile(file);
    const tampered = Buffer.from(signed);
    tampered[200] = (tampered[200] ?? 0) ^ 0x80;

    expect(verifyModuleSignature(signed, [certificate])).toMatchObject({ status: 'valid', hash: 'sha256' });
    expect(verifyModuleSignature(tampered, [certificate])).toMatchObject({ status: 'invalid' });
    expect(verifyModuleSignature(signed, [(await signerOf('rsa-2048')).certificate])).toMatchObject({
      status: 'unknown-key',
    });
  });
});

describe('describeSignature() on the modules of a distribution', () => {
  it('agrees with modinfo, and strips to what modinfo finds unsigned', async () => {
    const files = sampleModules(kernel, 25);

    for (const file of files) {
      const bytes = await readFile(file);
      const description = describeSignature(bytes);
      const shown = await modinfo(file);
      await writeFile(path('stripped.ko'), stripSignature(bytes));

      expect(description).toMatchObject({ signer: shown['signer'], hash: shown['sig_hashalgo'] });
      expect(description?.key).toBe(shown['sig_key']?.replaceAll(/\s/g, ''));
      expect(await modinfo(path('stripped.ko'))).not.toHaveProperty('sig_id');
    }

    expect(files.length).toBeGreaterThan(20);
  });
});

function path(name: string): string {
  return join(scratch, name);
}

async function signerOf(name: KeyName): Promise<Signer> {
  const [key, certificate] = await Promise.all([
    readFile(path(`${name}.key`)),
    readFile(path(`${name}.pem`)),
  ]);
  return makeKeyFileSigner({ key, certificate });
}

/** Field by name; of those that come several times, the last. */
async function modinfo(file: string): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await run('modinfo', ['-0', file]);
  return Object.fromEntries(
    stdout.split('\0').map((field) => {
      const equals = field.indexOf('=');
      return [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
}

function opensslVerify(name: KeyName, content: string): Promise<{ stdout: string; stderr: string }> {
  const certificate = ['-certfile', path(`${name}.pem`), '-noverify'];
  const files = ['-inform', 'DER', '-in', path('ec.cms'), '-content', content, '-out', path('content.out')];
  return run('openssl', ['cms', '-verify', '-binary', ...certificate, ...files]);
}
