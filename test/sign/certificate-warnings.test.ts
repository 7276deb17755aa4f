import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCertificate, type Certificate } from '../../src/sign/certificate.ts';
import { certificateWarnings } from '../../src/sign/certificate-warnings.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

const directory = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const GOOD = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=digitalSignature',
  'extendedKeyUsage=codeSigning',
] as const;

/** A certificate of openssl that is valid for a year from now. */
function makeCertificate(extensions: readonly string[], ...options: readonly string[]): Certificate {
  const file = join(directory, 'certificate.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-new', '-x509', '-nodes', '-subj', '/CN=Test', '-days', '365'],
      ...['-keyout', '/dev/null', '-out', file, '-config', '/dev/null'],
      ...(options.length === 0 ? ['-newkey', 'rsa:2048'] : options),
      ...extensions.flatMap((extension) => ['-addext', extension]),
    ],
    { stdio: 'pipe' },
  );
  return parseCertificate(readFileSync(file));
}

function codes(certificate: Certificate, at = new Date()): readonly string[] {
  return certificateWarnings(certificate, at).map(({ code }) => code);
}

describe('certificateWarnings()', () => {
  it('finds nothing wrong with a certificate for code signing', () => {
    expect(certificateWarnings(makeCertificate(GOOD), new Date())).toEqual([]);
  });

  it('finds nothing wrong with a certificate that limits nothing', () => {
    expect(codes(makeCertificate([]))).toEqual([]);
  });

  it('finds nothing wrong with one of a CA but that', () => {
    const certificate = parseCertificate(readModuleFixture('test-only-rsa.pem'));

    expect(certificateWarnings(certificate, new Date('2050-01-01'))).toMatchObject([
      {
        code: 'ca',
        message:
          'Certificate Test only, trust nowhere is that of a CA: who has its key can make more certificates that nodes trust',
      },
    ]);
  });

  it('looks at the time of validity', () => {
    const certificate = makeCertificate(GOOD);
    const after = (days: number): Date => new Date(Date.now() + days * 24 * 3600 * 1000);
    const first = (at: Date): string | undefined => certificateWarnings(certificate, at)[0]?.message;

    expect(first(after(-2))).toMatch(/^Certificate Test is not valid before \d{4}-\d\d-\d\d$/);
    expect(first(after(365 - 91))).toBeUndefined();
    expect(first(after(365 - 30))).toMatch(
      /^Certificate Test expires in (?:29|30) days, on \d{4}-\d\d-\d\d$/,
    );
    expect(first(after(366))).toMatch(/^Certificate Test expired on \d{4}-\d\d-\d\d$/);
  });

  it('warns of a certificate that was made for something else', () => {
    const certificate = parseCertificate(readModuleFixture('test-only-tls.pem'));

    const messages = certificateWarnings(certificate, new Date('2050-01-01')).map(({ message }) => message);

    expect(messages.slice(0, 2)).toEqual([
      'Certificate without a name has a key usage without digitalSignature',
      'Certificate without a name has an extended key usage without codeSigning',
    ]);
  });

  it.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ['of a CA', ['basicConstraints=critical,CA:TRUE'], [], ['ca']],
    ['signed with SHA-1', GOOD, ['-newkey', 'rsa:2048', '-sha1'], ['weak-signature']],
    ['with a short key', GOOD, ['-newkey', 'rsa:1024'], ['key-size']],
    ['with a key of odd length', GOOD, ['-newkey', 'rsa:2560'], ['key-size']],
    ['with an ECDSA key', GOOD, ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['ecdsa']],
    [
      'with a key on a curve of others',
      GOOD,
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
      ['ecdsa', 'key-size'],
    ],
  ])('warns of a certificate %s', (_what, extensions, options, expected) => {
    expect(codes(makeCertificate(extensions, ...options))).toEqual(expected);
  });
});
