import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { decompressModule } from '../../src/kmod/compression.ts';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { enrolmentVariables, type EnrolPlace } from '../../src/verify/boot/enrolment.ts';
import { runCli } from '../support/cli.ts';
import { type FirmwareGuest, makeFirmwareGuest } from '../support/firmware-guest.ts';
import { listDebianKernels } from '../support/kernels.ts';

const run = promisify(execFile);
const KERNEL = listDebianKernels().at(-1)!;
const TIMEOUT_MS = 600_000;

let scratch: string;
const path = (name: string): string => join(scratch, name);
const guests: FirmwareGuest[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-enrolment-'));
  for (const name of ['signing', 'kek', 'stranger']) {
    await run('openssl', [
      ...[
        'req',
        '-new',
        '-x509',
        '-nodes',
        '-newkey',
        'rsa:2048',
        '-days',
        '365',
        '-subj',
        `/CN=Acme ${name}`,
      ],
      ...['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)],
    ]);
  }
  for (const kek of ['kek', 'stranger']) {
    const keys = ['--kek-key', `${kek}.key`, '--kek-cert', `${kek}.pem`];
    const { exitCode } = await runCli(['enroll', '--cert', 'signing.pem', '--out', kek, ...keys], {
      cwd: scratch,
    });
    expect(exitCode).toBe(0);
  }
  const dummy = join(KERNEL.modules, 'drivers/net/dummy.ko');
  const bytes = await readFile(dummy).catch(async () => decompressModule(await readFile(`${dummy}.xz`)));
  await writeFile(path('dummy.ko'), bytes);
  const sign = ['sign', '--key', 'signing.key', '--cert', 'signing.pem', '--in-place', 'dummy.ko'];
  expect((await runCli(sign, { cwd: scratch })).exitCode).toBe(0);
});
afterAll(async () => {
  for (const guest of guests) await guest.remove();
  await rm(scratch, { recursive: true, force: true });
});

/** A machine that belongs to the owner of `kek`, with the certificate where it is said to be from the start. */
async function machine(place: EnrolPlace | 'nowhere'): Promise<FirmwareGuest> {
  const der = async (name: string): Promise<Buffer> =>
    parseCertificate(await readFile(path(`${name}.pem`))).der;
  const owner = await der('kek');
  const certificates = place === 'nowhere' ? [] : [await der('signing')];
  const guest = await makeFirmwareGuest({
    kernel: KERNEL,
    variables: (kernel) =>
      enrolmentVariables({ certificates, place: place === 'nowhere' ? 'db' : place, owner, kernel }),
    programs: ['/usr/bin/efi-updatevar', '/usr/bin/mokutil', '/usr/bin/chattr'],
    files: {
      'dummy.ko': await readFile(path('dummy.ko')),
      'certificate.der': await readFile(path('kek/certificate.der')),
      'good.auth': await readFile(path('kek/db-append.auth')),
      'wrong.auth': await readFile(path('stranger/db-append.auth')),
      ...(await podFiles()),
    },
  });
  guests.push(guest);
  return guest;
}

/** What the pods of the hand-out get: the script, and a file that sets its environment. */
async function podFiles(): Promise<Readonly<Record<string, Buffer>>> {
  const documents = (await readFile(path('kek/node-state.yaml'), 'utf8')).split(/^---$/m);
  const objects = documents.map((text) => parse(text) as { kind: string; data: Record<string, string> });
  const data = objects.find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
  const env = `export KMODLAYER_CERTIFICATE=${data['certificate']} KMODLAYER_KEY_ID=${data['key-id']}\n`;
  return { 'state.sh': Buffer.from(data['enrolment-state.sh'] ?? ''), env: Buffer.from(env) };
}

const STATE = `. /env; sh /state.sh show; sh /state.sh ready; echo "ready $?"`;
const UNGUARD =
  'chattr -i /sys/firmware/efi/efivars/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f; echo "unguard $?"';
const LOAD = 'insmod /dummy.ko; echo "load $?"';

/** What "show" says, by its words, and how "ready" ended. */
function stateIn(said: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [
      ...said.matchAll(
        /^ *(state|secure-boot|lockdown|signatures-enforced|certificate-in-\w+|known-to-kernel|ready) +(\S+)$/gm,
      ),
    ].map(([, word = '', value = '']) => [word, value]),
  );
}

/** How a command ended that was followed by `echo "WORD $?"`. */
function codeOf(said: string, word: string): number {
  return Number(new RegExp(`^${word} (\\d+)$`, 'm').exec(said)?.[1]);
}

const MISSING = {
  ...{ state: 'missing', 'secure-boot': 'on', lockdown: 'integrity', 'signatures-enforced': 'yes' },
  ...{ 'certificate-in-db': 'no', 'certificate-in-mok': 'no', 'known-to-kernel': 'no', ready: '1' },
};

// On a machine that was busy with other guests, one was seen to idle for ever in the middle of a boot.
describe('The hand-out of kmodlayer enroll, on a machine with Secure Boot', { retry: 1 }, () => {
  it(
    'has an update of db that the firmware takes from the owner of the KEK, and from nobody else',
    async () => {
      const guest = await machine('nowhere');
      const update = (name: string): string => `efi-updatevar -a -f /${name}.auth db; echo "${name} $?"`;

      const before = await guest.boot([STATE, LOAD, UNGUARD, update('wrong'), STATE].join('\n'));
      const updated = await guest.boot([UNGUARD, update('good'), STATE, LOAD].join('\n'));
      const after = await guest.boot([STATE, LOAD].join('\n'));

      expect(stateIn(before), before).toEqual(MISSING);
      expect(codeOf(before, 'load'), before).not.toBe(0);
      expect(codeOf(before, 'unguard'), before).toBe(0);
      expect(codeOf(before, 'wrong'), before).toBe(1);
      expect(codeOf(updated, 'good'), updated).toBe(0);
      expect(stateIn(updated), updated).toEqual({
        ...MISSING,
        ...{ state: 'not-read', 'certificate-in-db': 'yes' },
      });
      expect(codeOf(updated, 'load'), updated).not.toBe(0);
      expect(stateIn(after), after).toEqual({
        ...MISSING,
        ...{ state: 'enrolled', 'certificate-in-db': 'yes', 'known-to-kernel': 'yes', ready: '0' },
      });
      expect(codeOf(after, 'load'), after).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'has a certificate that mokutil asks shim to enrol',
    async () => {
      const guest = await machine('nowhere');

      const said = await guest.boot(`mokutil --sb-state
mokutil --generate-hash=secret >/hash
mokutil --import /certificate.der --hash-file /hash; echo "import $?"
mokutil --list-new
${STATE}`);

      const { fingerprint } = new X509Certificate(await readFile(path('signing.pem')));
      expect(said).toContain('SecureBoot enabled');
      expect(codeOf(said, 'import'), said).toBe(0);
      expect(said.toUpperCase()).toContain(`SHA1 FINGERPRINT: ${fingerprint}`);
      expect(stateIn(said), said).toEqual({ ...MISSING, state: 'asked-for' });
    },
    TIMEOUT_MS,
  );

  it(
    'says that a node trusts the certificate when it is among the keys of the machine owner',
    async () => {
      const guest = await machine('mok');

      const said = await guest.boot([STATE, LOAD, 'mokutil --test-key /certificate.der'].join('\n'));

      expect(stateIn(said), said).toEqual({
        ...MISSING,
        ...{ state: 'enrolled', 'certificate-in-mok': 'yes', 'known-to-kernel': 'yes', ready: '0' },
      });
      expect(codeOf(said, 'load'), said).toBe(0);
      expect(said).toContain('/certificate.der is already enrolled');
    },
    TIMEOUT_MS,
  );
});
