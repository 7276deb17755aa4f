/*
 * Signatures of kernel modules, byte for byte those of the kernel's sign-file, over bytes. Loads `node:crypto` and
 * nothing else that is not in this package.
 */
export { SignError } from './errors.ts';
export { certificateWarnings, parseCertificate } from './sign/certificate.ts';
export type { Certificate } from './sign/certificate.ts';
export { describeSignature } from './sign/describe-signature.ts';
export type { SignatureDescription } from './sign/describe-signature.ts';
export { parseSignatureHash } from './sign/hash.ts';
export type { KnownHash, SignatureHash } from './sign/hash.ts';
export { makeKeyFileSigner } from './sign/key-file.ts';
export type { KeyFileOptions } from './sign/key-file.ts';
export { hasSignature, stripSignature } from './sign/module-signature.ts';
export { signModule } from './sign/sign.ts';
export type { SignOptions } from './sign/sign.ts';
export type { Signer } from './sign/signer.ts';
export { verifyModuleSignature } from './sign/verify-signature.ts';
export type { SignatureVerdict } from './sign/verify-signature.ts';
