import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decompressModule } from '../../src/kmod/compression.ts';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { makeKeyFileSigner } from '../../src/sign/key-file.ts';
import { appendSignature, stripSignature } from '../../src/sign/module-signature.ts';
import { signModule, signModuleByAll } from '../../src/sign/sign.ts';
import type { Signer } from '../../src/sign/signer.ts';
import { makeThrowAwayKey } from '../../src/sign/throw-away-key.ts';
import { bootMany } from '../support/boot-many.ts';
import { listDebianKernels, sampleModules } from '../support/kernels.ts';

const run = promisify(execFile);
const NAMES = ['old', 'new', 'other'] as const;
type Name = (typeof NAMES)[number];

let scratch: string;
const signers = new Map<Name, Signer>();

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-two-'));
  for (const name of NAMES) {
    const { privateKey, certificate } = await makeThrowAwayKey(`The ${name} key`, new Date());
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(join(scratch, `${name}.key`), key);
    await run('openssl', [
      ...[
        'x509',
        '-inform',
        'DER',
        '-out',
        join(scratch, `${name}.pem`),
        '-in',
        await file('der', certificate),
      ],
    ]);
    signers.set(name, makeKeyFileSigner({ key: Buffer.from(key), certificate }));
  }
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe.each(listDebianKernels().map(({ release }) => release))('Linux %s with Secure Boot', (release) => {
  it.each<[Name, string, string]>([
    ['old', 'loaded', 'refused'],
    ['new', 'loaded', 'loaded'],
    ['other', 'refused', 'refused'],
  ])(
    'that trusts the %s key has a module of two signers %s, and one that was signed twice %s',
    async (trusted, two, twice) => {
      const plain = await dummyOf(release);
      const [oldKey, newKey] = [signerOf('old'), signerOf('new')];
      const byOld = await signModule(plain, oldKey, { hash: 'sha256' });
      const modules = [
        [
          'two',
          await signModuleByAll(plain, [
            { signer: oldKey, hash: 'sha256' },
            { signer: newKey, hash: 'sha256' },
          ]),
        ],
        ['twice', await signedOnTop(byOld)],
        ['attributes', await withAttributes(plain)],
      ] as const;

      const { loads } = await bootMany({
        kernelRelease: release,
        modules: modules.map(([, bytes]) => ({ name: 'dummy', bytes })),
        secureBoot: { certificates: [parseCertificate(signerOf(trusted).certificate.der).der], place: 'db' },
      });

      expect(loads.map(({ outcome }) => outcome)).toEqual([two, twice, 'refused']);
    },
  );
});

function signerOf(name: Name): Signer {
  const signer = signers.get(name);
  if (signer === undefined) throw new Error(`No signer ${name}`);
  return signer;
}

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(scratch, name);
  await writeFile(path, bytes);
  return path;
}

/** A module that needs no other and no hardware. */
async function dummyOf(release: string): Promise<Buffer> {
  const kernel = listDebianKernels().find((one) => one.release === release);
  if (kernel === undefined) throw new Error(`No kernel ${release}`);
  const path = sampleModules(kernel, 1_000_000).find((one) => /^dummy\.ko/.test(basename(one)));
  return stripSignature(await decompressModule(await readFile(path ?? 'no dummy.ko')));
}

/** What sign-file does to a signed module: a signature over the module and the one that it has. */
async function signedOnTop(signed: Buffer): Promise<Buffer> {
  return appendSignature(signed, await opensslSign(signed, 'new', ['-noattr']));
}

async function withAttributes(plain: Buffer): Promise<Buffer> {
  return appendSignature(plain, await opensslSign(plain, 'new', []));
}

async function opensslSign(content: Buffer, name: Name, options: readonly string[]): Promise<Buffer> {
  const keys = ['-signer', join(scratch, `${name}.pem`), '-inkey', join(scratch, `${name}.key`)];
  await run('openssl', [
    ...['cms', '-sign', '-binary', '-nocerts', '-nosmimecap', '-md', 'sha256', '-outform', 'DER', ...options],
    ...[...keys, '-in', await file('content', content), '-out', join(scratch, 'message')],
  ]);
  return readFile(join(scratch, 'message'));
}
