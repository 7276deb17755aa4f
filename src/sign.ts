/*
 * Signatures of kernel modules, byte for byte those of the kernel's sign-file, over bytes. Loads `node:crypto` and
 * nothing else that is not in this package.
 */
export { SignError } from './errors.ts';
export { parseCertificate } from './sign/certificate.ts';
export type { Certificate } from './sign/certificate.ts';
export { certificateWarnings } from './sign/certificate-warnings.ts';
export type { CertificateWarning } from './sign/certificate-warnings.ts';
export { describeSignature } from './sign/describe-signature.ts';
export type { SignatureDescription, SignerDescription } from './sign/describe-signature.ts';
export { parseSignatureHash } from './sign/hash.ts';
export type { KnownHash, SignatureHash } from './sign/hash.ts';
export { makeKeyFileSigner } from './sign/key-file.ts';
export type { KeyFileOptions } from './sign/key-file.ts';
export { cutAfterModule, hasSignature, stripSignature } from './sign/module-signature.ts';
export { signModule, signModuleByAll } from './sign/sign.ts';
export type { SignatureRequest, SignOptions } from './sign/sign.ts';
export type { Signer, SignerAnswer, SignRequest } from './sign/signer.ts';
export { verifyModuleSignature } from './sign/verify-signature.ts';
export type { InvalidReason, SignatureVerdict } from './sign/verify-signature.ts';
