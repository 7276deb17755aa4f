import type { SignedData } from './cms.ts';
import { findHash } from './hash.ts';

/** What kernels read as the algorithm of a signature: RSA as PKCS#1 v1.5, and ECDSA since 5.13. */
const RSA = '1.2.840.113549.1.1.1';
const ECDSA = /^(?:1\.2\.840\.10045\.4\.(?:1|3\.[1-4])|2\.16\.840\.1\.101\.3\.4\.3\.(?:9|1[0-2]))$/;

/**
 * Why kernels refuse a CMS message as the signature of a module, whoever made it and whatever keys they trust; undefined
 * when its form is one that they take. One part that they cannot read makes them refuse the others, too.
 *
 * @see linux `crypto/asymmetric_keys/pkcs7_parser.c` and `pkcs7_verify.c`
 */
export function whyKernelRefuses(message: SignedData): string | undefined {
  const why = whyMalformed(message);
  if (why !== undefined) return why;
  for (const { attributes, digestOid, signatureOid } of message.signers) {
    if (attributes !== undefined) return 'it signs attributes, too, which kernels refuse for modules';
    if (findHash(digestOid) === undefined) return `its hash ${digestOid} is not known`;
    if (signatureOid !== RSA && !ECDSA.test(signatureOid)) {
      return `its signature algorithm ${signatureOid} is not one that kernels read: rsaEncryption or ECDSA`;
    }
  }
  return undefined;
}

/** The part of the rules that holds even where signatures are not enforced: kernels take no such message apart. */
export function whyMalformed({ version, signers }: SignedData): string | undefined {
  if (version !== 1 && version !== 3) return `its version is ${version}, and kernels read 1 and 3`;
  const isOneWay = signers.every(
    (signer) => signer.version === version && (signer.id.kind === 'key-id') === (version === 3),
  );
  return isOneWay
    ? undefined
    : 'its signers are not named in one way: all by issuer and serial number, or all by key identifier';
}
