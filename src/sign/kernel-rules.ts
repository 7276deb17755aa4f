import type { SignedData, SignerInfo } from './cms.ts';
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
export function whyKernelRefuses({ version, signers }: SignedData): string | undefined {
  if (version !== 1 && version !== 3) return `its version is ${version}, and kernels read 1 and 3`;
  for (const signer of signers) {
    const why = whySignerRefused(signer, version);
    if (why !== undefined) return why;
  }
  return undefined;
}

function whySignerRefused(signer: SignerInfo, version: number): string | undefined {
  if (signer.version !== version || (signer.id.kind === 'key-id') !== (version === 3)) {
    return 'its signers are not named in one way: all by issuer and serial number, or all by key identifier';
  }
  if (signer.attributes !== undefined) return 'it signs attributes, too, which kernels refuse for modules';
  if (findHash(signer.digestOid) === undefined) return `its hash ${signer.digestOid} is not known`;
  if (signer.signatureOid !== RSA && !ECDSA.test(signer.signatureOid)) {
    return `its signature algorithm ${signer.signatureOid} is not one that kernels read: rsaEncryption or ECDSA`;
  }
  return undefined;
}
