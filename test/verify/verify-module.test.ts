import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { CHECK_IDS, type Check, type CheckId } from '../../src/verify/report.ts';
import { verifyModule, type VerifyModuleRequest } from '../../src/verify/verify-module.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';
import { fuzzRuns, mutated } from '../kmod/fuzz.ts';
import { BROKEN_FILES, btf } from './broken-files.ts';
import { BROKEN_LINKS } from './broken-links.ts';
import { asVersion, KERNEL, withConfig } from './case.ts';
import { kernelFacts, readKernelFixture } from './kernel.ts';
import { type MadeModule, makeModuleFile, PRINTK, VERMAGIC } from './make-module.ts';

const RSA = parseCertificate(readModuleFixture('test-only-rsa.pem'));
const EC = parseCertificate(readModuleFixture('test-only-ec.pem'));

function verify(bytes: Uint8Array, changes: Partial<VerifyModuleRequest> = {}) {
  return verifyModule({ path: 'extra/made/made.ko', bytes, kernel: KERNEL, ...changes });
}

function verifyMade(made: MadeModule, changes: Partial<VerifyModuleRequest> = {}) {
  return verify(makeModuleFile(made), changes);
}

function find(checks: readonly Check[], id: CheckId): Check | undefined {
  return checks.find((check) => check.id === id);
}

/** Checks that neither pass nor speak of the missing signature. */
function remarks(checks: readonly Check[]): string[] {
  return checks
    .filter(({ id, status }) => status !== 'pass' && !(id === 'signature' && status === 'warn'))
    .map(({ id, status }) => `${id} ${status}`);
}

describe('verifyModule() on modules that load', () => {
  it("passes a module of the kernel's own", () => {
    const report = verify(readKernelFixture('crc7.ko'), { path: 'kernel/lib/crc7.ko' });

    expect(report.verdict).toBe('passes');
    expect(remarks(report.checks)).toEqual(['signature skip']);
  });

  it('passes a module that a compiler made, and one that the tests make', () => {
    expect(remarks(verify(readModuleFixture('kl_provider.ko'), { path: 'kl_provider.ko' }).checks)).toEqual(
      [],
    );
    expect(remarks(verifyMade({}).checks)).toEqual([]);
  });

  it.each(['aarch64', 'ppc64le', 's390x'] as const)('passes a module for %s', (arch) => {
    const report = verifyMade({ arch }, { kernel: { ...KERNEL, arch } });

    expect(remarks(report.checks)).toEqual([]);
  });

  it('gives the checks in their order, each once', () => {
    const { checks } = verify(readModuleFixture('kl_provider.ko'), { path: 'kl_provider.ko' });

    const ids = checks.map(({ id }) => id);
    expect(ids).toEqual(CHECK_IDS.filter((id) => ids.includes(id)));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('shows how each symbol was resolved', () => {
    const { symbols } = verify(readModuleFixture('kl_consumer.ko'), { path: 'kl_consumer.ko' });

    expect(symbols.find(({ symbol }) => symbol === '_printk')).toEqual({
      symbol: '_printk',
      status: 'ok',
      found: '0x92997ed8',
      wanted: '0x92997ed8',
      provider: 'vmlinux',
      namespace: undefined,
      isGplOnly: false,
    });
    expect(symbols.find(({ symbol }) => symbol === 'kl_missing')?.status).toBe('weak');
    expect(symbols.find(({ symbol }) => symbol === 'kl_gpl')?.status).toBe('missing');
  });

  it("takes a prebuilt module of another kernel whose CRCs are this kernel's", () => {
    const report = verifyMade({ vermagic: VERMAGIC.replace('-56-', '-55-') });

    expect(report.verdict).toBe('passes');
    expect(find(report.checks, 'vermagic')?.message).toContain('6.1.0-55-amd64');
  });
});

describe('verifyModule() on signatures', () => {
  const sign = (fixture: string, certificates = [RSA], kernel = KERNEL): string => {
    const bytes = readModuleFixture(fixture);
    const { checks } = verify(bytes, { path: 'kl_provider.ko', certificates, kernel });
    return find(checks, 'signature')?.status ?? '';
  };

  it.each([
    { file: 'kl_provider.sha256.ko', status: 'pass' },
    { file: 'kl_provider.key-id.ko', status: 'pass' },
    { file: 'kl_provider.ec.ko', status: 'fail' },
    { file: 'kl_provider.attributes.ko', status: 'fail' },
    { file: 'kl_provider.ko', status: 'fail' },
    // Debian's kernel has SHA-512 in a module of its own.
    { file: 'kl_provider.sha512.ko', status: 'fail' },
  ])('says $status of $file, where the certificate is trusted', ({ file, status }) => {
    expect(sign(file)).toBe(status);
  });

  it('takes the key that is among several', () => {
    const withCurves = withConfig(KERNEL, { CONFIG_CRYPTO_ECDSA: 'y' });
    expect(sign('kl_provider.ec.ko', [RSA, EC], withCurves)).toBe('pass');
    expect(sign('kl_provider.ec.ko', [RSA, EC])).toBe('fail');
    expect(sign('kl_provider.sha512.ko', [RSA], withConfig(KERNEL, { CONFIG_CRYPTO_SHA512: 'y' }))).toBe(
      'pass',
    );
  });

  it('warns of a kernel that knows no certificates of the firmware, as those for real time', () => {
    const kernel = withConfig(KERNEL, { CONFIG_EFI_DISABLE_RUNTIME: 'y' });

    expect(sign('kl_provider.sha256.ko', [RSA], kernel)).toBe('warn');
  });

  it('says that nobody knows whether a kernel has a hash, when that is so', () => {
    expect(sign('kl_provider.sha512.ko', [RSA], { ...KERNEL, config: undefined })).toBe('warn');
  });

  it('only warns where nothing is to be signed, but not of a damaged signature', () => {
    const status = (bytes: Buffer): string | undefined =>
      find(verify(bytes, { path: 'kl_provider.ko' }).checks, 'signature')?.status;
    const signed = readModuleFixture('kl_provider.sha256.ko');
    const malformed = Buffer.from(signed);
    malformed[signed.length - 40] = 1;
    const otherType = Buffer.from(signed);
    otherType[signed.length - 38] = 1;
    const longer = Buffer.concat([signed.subarray(0, -40), Buffer.alloc(8), signed.subarray(-40)]);
    longer.writeUInt32BE(longer.readUInt32BE(longer.length - 32) + 8, longer.length - 32);

    expect(status(signed)).toBe('warn');
    expect(status(otherType)).toBe('warn');
    expect(status(malformed)).toBe('fail');
    expect(status(longer)).toBe('warn');
    expect(status(Buffer.concat([signed, Buffer.from([0])]))).toBe('warn');
  });

  it('fails what was changed after it was signed', () => {
    const bytes = readModuleFixture('kl_provider.sha256.ko');
    bytes[0x80] = (bytes[0x80] ?? 0) ^ 1;

    const { checks } = verify(bytes, { path: 'kl_provider.ko', certificates: [RSA] });

    expect(find(checks, 'signature')?.status).toBe('fail');
  });

  it('fails unsigned modules of a kernel that always enforces, and does not ask where none looks', () => {
    const status = (config: Record<string, string>): string | undefined =>
      find(verifyMade({}, { kernel: withConfig(KERNEL, config) }).checks, 'signature')?.status;

    expect(status({ CONFIG_MODULE_SIG_FORCE: 'y' })).toBe('fail');
    expect(status({ CONFIG_MODULE_SIG: 'n' })).toBe('skip');
  });
});

describe('verifyModule() on one thing that is wrong', () => {
  it.each([...BROKEN_FILES, ...BROKEN_LINKS])('$what: $expected', ({ made, kernel = KERNEL, expected }) => {
    const report = verifyMade(made, { kernel });

    expect(remarks(report.checks)).toEqual(expected);
    expect(report.verdict).toBe(expected.some((one) => one.endsWith('fail')) ? 'fails' : 'passes');
  });

  it('names what was wanted, found, and by whom', () => {
    const { checks } = verifyMade({ imports: [{ symbol: '_printk', crc: 1 }] });

    expect(find(checks, 'symbol-crcs')?.details).toEqual([
      {
        subject: '_printk',
        message: 'it has another CRC',
        wanted: '0x92997ed8',
        found: '0x00000001',
        provider: 'vmlinux',
      },
    ]);
  });

  it('refuses two tables of symbols', () => {
    const made = makeModuleFile({ sections: [{ name: '.symtab2', bytes: Buffer.alloc(48), type: 2 }] });

    expect(remarks(verify(made).checks)).toEqual(['elf fail']);
  });
});

describe('verifyModule() with parameters', () => {
  const modinfo = [
    'parmtype=debug:int',
    'parm=debug:level',
    'parmtype=quiet:bool',
    'parmtype=mode:charp',
    'parmtype=ports:array of ushort',
    'parmtype=odd:custom',
  ];
  const statusOf = (parameters: Record<string, string>, kernel = KERNEL): string | undefined =>
    find(verifyMade({ modinfo }, { parameters, kernel }).checks, 'parameters')?.status;

  it.each([
    [{ debug: '0', quiet: 'Y', mode: 'any thing', ports: '1,0x2,03', odd: '?' }, 'pass'],
    [{ debug: '-2147483648' }, 'pass'],
    [{ debug: '2147483648' }, 'fail'],
    [{ debug: 'yes' }, 'fail'],
    [{ debug: '' }, 'fail'],
    [{ quiet: 'maybe' }, 'fail'],
    [{ quiet: 'true' }, 'pass'],
    [{ ports: '1,65536' }, 'fail'],
    [{ ports: '-1' }, 'fail'],
    [{ mode: 'x'.repeat(1025) }, 'fail'],
    [{ speed: '1' }, 'warn'],
    [{ dyndbg: '+p', 'async-probe': '1' }, 'pass'],
    [{}, undefined],
  ])('%j: %s', (parameters: Record<string, string>, status) => {
    expect(statusOf(parameters)).toBe(status);
  });

  it('takes "true" only where the kernel surely does', () => {
    expect(statusOf({ quiet: 'true' }, asVersion('5.14.0-427.el9_4.x86_64'))).toBe('fail');
    expect(statusOf({ quiet: 'true' }, asVersion('5.10.0-1'))).toBe('fail');
  });
});

describe('verifyModule() with firmware', () => {
  it.each([
    [true, 'pass'],
    [false, 'warn'],
    [undefined, 'skip'],
  ])('%s: %s', (isThere, status) => {
    const { checks } = verifyMade({ modinfo: ['firmware=made/a.bin'] }, { hasFirmware: () => isThere });

    expect(find(checks, 'firmware')?.status).toBe(status);
  });
});

describe('verifyModule() without knowing the kernel well', () => {
  it('skips what nobody could know without symvers, and uses what its modules tell', () => {
    const kernel = kernelFacts({ symvers: undefined });

    const report = verifyMade({ imports: [PRINTK, { symbol: '__fentry__', crc: 0xbdfb6dbb }] }, { kernel });

    expect(report.verdict).toBe('passes');
    expect(remarks(report.checks)).toEqual(['symbols skip', 'symbol-crcs skip']);
    expect(find(report.checks, 'module-layout')?.status).toBe('pass');
  });

  it('says what it could not compare without a module of the kernel', () => {
    const kernel = kernelFacts({ modules: [], config: undefined });

    expect(remarks(verifyMade({}, { kernel }).checks)).toEqual(['this-module skip', 'vermagic skip']);
    expect(remarks(verifyMade({ vermagic: VERMAGIC.replace('-56-', '-55-') }, { kernel }).checks)).toEqual([
      'this-module skip',
      'vermagic warn',
    ]);
  });
});

describe('verifyModule() on bytes that are no module', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a compressed module', readModuleFixture('kl_provider.ko.xz')],
    ['a text', Buffer.from('#!/bin/sh\n')],
    ['a signature alone', readModuleFixture('kl_provider.sha256.ko').subarray(-498)],
  ])('%s fails', (_what, bytes) => {
    const report = verify(bytes);

    expect(report.verdict).toBe('fails');
    expect(find(report.checks, 'elf')?.status).toBe('fail');
  });

  it('never throws', () => {
    const originals = [
      readModuleFixture('kl_consumer.ko'),
      readModuleFixture('kl_provider.sha256.ko'),
      makeModuleFile({ versions: 'both', exports: [{ symbol: 'made_open', crc: 1 }], sections: [btf()] }),
      makeModuleFile({ arch: 's390x', relocations: [[4, 0, 1]] }),
    ];
    const kernels = [KERNEL, asVersion('6.14.1-amd64'), { ...KERNEL, arch: 's390x' as const }];
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 300 }), ...originals.map(mutated)),
        fc.constantFrom(...kernels),
        (bytes, kernel) => {
          const report = verify(bytes, { kernel, certificates: [RSA] });

          expect(report.checks.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: fuzzRuns(400) },
    );
  });
});
