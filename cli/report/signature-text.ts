import type { SignatureDescription, SignerDescription } from '../../src/sign/describe-signature.ts';

/** A signature as programs see it; `null` for an unsigned module. */
export function signatureData(
  signature: SignatureDescription | undefined,
): Readonly<Record<string, unknown>> | null {
  if (signature === undefined) return null;
  return { ...signature, signer: signature.signer ?? null, signers: signature.signers.map(signerData) };
}

function signerData(signer: SignerDescription): Readonly<Record<string, unknown>> {
  return { ...signer, signer: signer.signer ?? null };
}

/** A signer as people see it. */
export function signerText({ signer, key }: Pick<SignerDescription, 'signer' | 'key'>): string {
  return `${signer ?? 'key'} ${key}`;
}
