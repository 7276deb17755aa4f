import type { Certificate } from './certificate.ts';

/** What is odd about a certificate that modules are signed with. */
export interface CertificateWarning {
  /** Stable: programs tell warnings apart by it. */
  readonly code:
    | 'not-yet-valid'
    | 'expired'
    | 'expires-soon'
    | 'key-usage'
    | 'extended-key-usage'
    | 'ca'
    | 'key-size'
    | 'ecdsa'
    | 'weak-signature';
  /** One sentence without a full stop. */
  readonly message: string;
  readonly hint: string;
}

const DAY_MS = 24 * 3600 * 1000;
/** A new certificate has to reach the firmware of every node before the old one ends. */
const SOON_DAYS = 90;

/** @see linux `crypto/rsa.c`, which refuses keys of any other size; those below 2048 bits also with FIPS. */
const RSA_BITS = [2048, 3072, 4096];
/** @see linux `crypto/ecdsa.c`; P-521 came with 6.10. */
const CURVES = ['prime256v1', 'secp384r1'];

/** Algorithms of issuers that hash with MD5 or SHA-1: RSA, RSA, ECDSA. */
const WEAK_SIGNATURES = ['1.2.840.113549.1.1.4', '1.2.840.113549.1.1.5', '1.2.840.10045.4.1'];

/**
 * What a person should know before modules are signed with a certificate; none when all is well. The kernel looks at the
 * kind and the size of the key, and at nothing else here: it loads modules of certificates that expired.
 */
export function certificateWarnings(certificate: Certificate, at: Date): readonly CertificateWarning[] {
  const name = `Certificate ${certificate.subjectCommonName ?? 'without a name'}`;
  return [
    ...validityWarnings(certificate, name, at),
    ...usageWarnings(certificate, name),
    ...keyWarnings(certificate, name),
    ...(WEAK_SIGNATURES.includes(certificate.signatureOid)
      ? [
          {
            code: 'weak-signature',
            message: `${name} is itself signed with MD5 or SHA-1`,
            hint: 'Firmware and kernels in FIPS mode may refuse it: have it issued again with SHA-256.',
          } as const,
        ]
      : []),
  ];
}

function validityWarnings(
  { validFrom, validTo }: Certificate,
  name: string,
  at: Date,
): readonly CertificateWarning[] {
  const day = (date: Date): string => date.toISOString().slice(0, 10);
  if (at < validFrom) {
    const message = `${name} is not valid before ${day(validFrom)}`;
    return [{ code: 'not-yet-valid', message, hint: 'Check the clock of this machine.' }];
  }
  const hint =
    'Make the next one in time, enrol it on the nodes, and sign with both until all of them have it.';
  if (at > validTo) return [{ code: 'expired', message: `${name} expired on ${day(validTo)}`, hint }];
  const days = Math.floor((validTo.getTime() - at.getTime()) / DAY_MS);
  if (days >= SOON_DAYS) return [];
  return [{ code: 'expires-soon', message: `${name} expires in ${days} days, on ${day(validTo)}`, hint }];
}

function usageWarnings(
  { mayDigitallySign, mayCodeSign, isCa }: Certificate,
  name: string,
): readonly CertificateWarning[] {
  const hint = 'Issue one for code signing: "keyUsage=digitalSignature", "extendedKeyUsage=codeSigning".';
  return [
    ...(mayDigitallySign === false
      ? [{ code: 'key-usage', message: `${name} has a key usage without digitalSignature`, hint } as const]
      : []),
    ...(mayCodeSign === false
      ? [
          {
            code: 'extended-key-usage',
            message: `${name} has an extended key usage without codeSigning`,
            hint,
          } as const,
        ]
      : []),
    ...(isCa
      ? [
          {
            code: 'ca',
            message: `${name} is that of a CA: who has its key can make more certificates that nodes trust`,
            hint: 'Issue one with "basicConstraints=critical,CA:FALSE".',
          } as const,
        ]
      : []),
  ];
}

function keyWarnings({ publicKey }: Certificate, name: string): readonly CertificateWarning[] {
  const { asymmetricKeyType, asymmetricKeyDetails } = publicKey;
  if (asymmetricKeyType === 'rsa') {
    const bits = asymmetricKeyDetails?.modulusLength ?? 0;
    if (RSA_BITS.includes(bits)) return [];
    const message =
      bits < 2048
        ? `${name} has an RSA key of ${bits} bits, which is too short to be safe`
        : `${name} has an RSA key of ${bits} bits, which kernels refuse`;
    return [{ code: 'key-size', message, hint: `Use a key of ${RSA_BITS.join(', ')} bits.` }];
  }
  const curve = asymmetricKeyDetails?.namedCurve ?? 'unknown';
  const warning: CertificateWarning = {
    code: 'ecdsa',
    message: `${name} has an ECDSA key: kernels without CONFIG_CRYPTO_ECDSA, and all before 5.13, refuse its modules`,
    hint: 'Use RSA, which every kernel verifies.',
  };
  if (CURVES.includes(curve)) return [warning];
  return [
    warning,
    {
      code: 'key-size',
      message: `${name} has a key on the curve ${curve}, which most kernels do not know`,
      hint: 'Use RSA, or the curves P-256 and P-384.',
    },
  ];
}
