import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeNodeIo } from '../../cli/node-io.ts';
import type { Emulator, Guest } from '../../src/engine/emulator.ts';
import type { BuildEvent } from '../../src/events.ts';
import type { Io } from '../../src/io.ts';
import { openImage } from '../../src/oci/open-image.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { stripSignature } from '../../src/sign/module-signature.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { bootProof, type BootRequest } from '../../src/verify/boot/boot-proof.ts';
import type { BootReport } from '../../src/verify/boot/boot-report.ts';
import { buildHelloImages, type HelloImages } from '../support/hello-images.ts';

const run = promisify(execFile);

/** Releases that get an image of the hello driver; copies of the images lie in one layout, by version. */
const RELEASES = [
  { version: '4.18.4', stream: 'rhel-9' },
  { version: '4.16.10', stream: 'rhel-9' },
  { version: '4.22.1', stream: 'rhel-10' },
] as const;

let images: HelloImages;
const events: BuildEvent[] = [];

beforeAll(async () => {
  images = await buildHelloImages(RELEASES);
});

afterAll(async () => {
  await images.remove();
});

let sharedIo: Promise<Io> | undefined;

function nodeIo(): Promise<Io> {
  return (sharedIo ??= ownIo());
}

async function ownIo(changes: { readonly env?: Io['env']; readonly signal?: AbortSignal } = {}): Promise<Io> {
  const env = {
    ...process.env,
    XDG_CACHE_HOME: join(images.scratch, 'cache'),
    TMPDIR: join(images.scratch, 'tmp'),
  };
  return makeNodeIo({
    env: { ...env, ...changes.env },
    report: (event) => void events.push(event),
    ...(changes.signal === undefined ? {} : { signal: changes.signal }),
  });
}

async function requestFor(version: string, changes: Partial<BootRequest> = {}): Promise<BootRequest> {
  const io = await nodeIo();
  const repository = await io.images.open(parseReference(images.imageOf(version)), 'read');
  return {
    subject: version,
    source: { type: 'image', image: await openImage(repository, parseTag(version), 'x86_64', io.cache) },
    arch: 'x86_64',
    kernel: parseKernelRelease(images.kernelOf(version)),
    modules: ['kl_hello'],
    ...changes,
  };
}

async function boot(version: string, changes: Partial<BootRequest> = {}, io?: Io): Promise<BootReport> {
  return bootProof(await requestFor(version, changes), io ?? (await nodeIo()));
}

async function certificate(name: string): Promise<Uint8Array> {
  return new X509Certificate(await readFile(join(images.scratch, `${name}.pem`))).raw;
}

describe.each(RELEASES)('bootProof() on $version ($stream)', ({ version }) => {
  it('shows what loads, with the parameters of the image, and what needs hardware', async () => {
    const report = await boot(version, { modules: ['kl_hello', 'amd_rng'] });

    expect(report, report.console).toMatchObject({
      verdict: 'passes',
      secureBoot: false,
      controls: [],
      modules: [
        { name: 'kl_hello', outcome: 'loaded', exitCode: 0 },
        { name: 'amd_rng', outcome: 'needs-hardware', exitCode: 1 },
      ],
    });
    expect(report.kernelRelease).toBe((await requestFor(version)).kernel);
    expect(report.kernelLog).toContain('kl_base: good morning');
    expect(report.loadedModules.join('\n')).toMatch(/^kl_base +\d+ +1 kl_hello$/m);
    expect(report.taints).toEqual(['out-of-tree module (O)', 'unsigned module (E)']);
    expect(report.emulator.version).toMatch(/^QEMU emulator version \d/);
  });

  it.each(['db', 'mok'] as const)(
    'shows that the kernel enforces signatures, with the certificate in %s',
    async (place) => {
      const report = await boot(version, {
        secureBoot: { certificates: [await certificate('signing')], place },
      });

      expect(report, report.console).toMatchObject({
        verdict: 'passes',
        secureBoot: true,
        isSignatureEnforced: true,
        lockdown: 'integrity',
        modules: [{ name: 'kl_hello', outcome: 'loaded' }],
        controls: [
          { kind: 'unsigned', outcome: 'refused' },
          { kind: 'tampered', outcome: 'refused' },
          { kind: 'wrong-key', outcome: 'refused' },
        ],
        taints: ['out-of-tree module (O)'],
      });
      expect(report.statement).toContain('booted with Secure Boot and loaded kl_hello; refused 3 copies');
    },
  );
});

describe('bootProof()', () => {
  it('fails when the certificate is not enrolled, and says why', async () => {
    const report = await boot('4.18.4', {
      secureBoot: { certificates: [await certificate('other')], place: 'db' },
    });

    expect(report).toMatchObject({ verdict: 'fails', modules: [{ name: 'kl_hello', outcome: 'refused' }] });
    expect(report.statement).toBe(
      'the kernel refused kl_hello: Loading of module with unavailable key is rejected; the certificate of its key is neither enrolled nor built into the kernel',
    );
  });

  it('fails for a module without a signature under Secure Boot', async () => {
    const { path, bytes } = await images.moduleOf('4.18.4', 'kl_base');

    const report = await boot('4.18.4', {
      modules: ['kl_base'],
      added: new Map([[path, stripSignature(bytes)]]),
      secureBoot: { certificates: [await certificate('signing')], place: 'mok' },
    });

    expect(report).toMatchObject({
      verdict: 'fails',
      statement: 'the kernel refused kl_base: Loading of unsigned module is rejected',
    });
  });

  it('fails for a module of another kernel, in the words of this one', async () => {
    const { path, bytes } = await images.moduleOf('4.18.4', 'kl_base');
    const broken = Buffer.from(stripSignature(bytes));
    broken.write('vermagic=9', broken.indexOf('vermagic='));
    broken.write('NO', broken.indexOf(' SMP ') + 1);

    const report = await boot('4.18.4', { modules: ['kl_base', 'dummy'], added: new Map([[path, broken]]) });

    expect(report).toMatchObject({
      verdict: 'fails',
      modules: [
        { name: 'kl_base', outcome: 'refused' },
        { name: 'dummy', outcome: 'loaded' },
      ],
    });
    expect(report.statement).toContain("the kernel refused kl_base: kl_base: version magic '9");
  });

  it('makes the same initramfs for the same image, whether its layers are known or not', async () => {
    const guests: Guest[] = [];
    const seeing = async (env: Io['env']): Promise<Io> => {
      const io = await ownIo({ env });
      const emulator = async (): Promise<Emulator> => {
        const real = await io.emulator('x86_64');
        return { ...real, boot: (guest) => (guests.push(guest), real.boot(guest)) };
      };
      return { ...io, emulator };
    };

    for (const name of ['cache-one', 'cache-one', 'cache-two'])
      await boot('4.18.4', { timeoutMs: 100 }, await seeing({ XDG_CACHE_HOME: join(images.scratch, name) }));

    const [first, ...others] = guests.map(({ initramfs }) => Buffer.from(initramfs));
    for (const other of others) expect(first?.equals(other)).toBe(true);
    expect(guests).toHaveLength(3);
    const listing = join(images.scratch, 'initramfs.cpio');
    await writeFile(listing, first ?? '');
    const { stdout } = await run('cpio', ['--quiet', '-itF', listing]);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['init', 'usr/bin/kmod', 'kmodlayer/steps']));
  });

  it('streams nothing of an image that was booted before', async () => {
    await boot('4.18.4', { timeoutMs: 100 });
    events.length = 0;

    await boot('4.18.4', { timeoutMs: 100 });

    expect(
      events.filter(({ type }) => type === 'detail').map((event) => JSON.stringify(event)),
    ).not.toContainEqual(expect.stringContaining('reading layer'));
  });

  it('fails when the time is up, and leaves nothing behind', async () => {
    const report = await boot('4.18.4', { timeoutMs: 1500 });

    expect(report).toMatchObject({ verdict: 'fails', modules: [{ outcome: 'not-reached' }] });
    expect(report.statement).toMatch(/^the guest did not come up within 2 s/);
    expect(await leftovers()).toEqual([]);
  });

  it('ends the machine on an interrupt, and leaves nothing behind', async () => {
    const controller = new AbortController();
    const io = await ownIo({ signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 2000);

    await expect(boot('4.18.4', {}, io)).rejects.toMatchObject({ name: 'AbortError' });

    expect(await leftovers()).toEqual([]);
  });

  it('says how to get an emulator that is missing', async () => {
    const io = await ownIo({ env: { KMODLAYER_QEMU: 'qemu-that-is-not-there' } });

    await expect(boot('4.18.4', {}, io)).rejects.toMatchObject({ code: 'EMULATOR_MISSING' });
  });
});

/** Emulators that this process started, and temporary directories. */
async function leftovers(): Promise<readonly string[]> {
  const { stdout } = await run('ps', ['-eo', 'ppid=,args=']);
  const children = stdout
    .split('\n')
    .filter((line) => line.trim().startsWith(`${process.pid} `) && line.includes('qemu-system'));
  return [...children, ...(await readdir(join(images.scratch, 'tmp')))];
}
