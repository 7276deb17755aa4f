import { verify } from 'node:crypto';
import { SignError } from '../../errors.ts';
import type { Certificate } from '../../sign/certificate.ts';
import { parseSignedData, type SignerId, type SignerInfo } from '../../sign/cms.ts';
import { readDer } from '../../sign/der.ts';
import { findCommonName } from '../../sign/distinguished-name.ts';
import { findHash, type KnownHash } from '../../sign/hash.ts';
import { whyMalformed } from '../../sign/kernel-rules.ts';
import { hasSignature, splitSignature } from '../../sign/module-signature.ts';
import type { KernelFacts } from '../kernel-facts.ts';
import type { Check } from '../report.ts';
import { resultsOf } from './check.ts';

/** A module without its signature, and what came of looking at that. */
export interface CheckedSignature {
  /** What the rest of the loader reads. */
  readonly module: Buffer;
  readonly check: Check;
}

const { pass, warn, fail, skip } = resultsOf('signature');

const ONLY_UNENFORCED = 'the module loads only where signatures are not enforced, as without Secure Boot';

/** Where fields of `struct module_signature` stand, counted from the end of the file. */
const LENGTH_FROM_END = 32;
const ID_TYPE_FROM_END = 38;
const TRAILER_BYTES = 40;
const MARKER_BYTES = 28;
const ID_TYPE_PKCS7 = 2;

/** Signature algorithms that the kernel's parser takes: RSA, and ECDSA with SHA-1 and SHA-2. */
const KNOWN_ALGORITHM = /^1\.2\.840\.113549\.1\.1\.1$|^1\.2\.840\.10045\.4\.(?:1|3\.[1-4])$/;

/**
 * Checks a signature as `module_sig_check()` does. One that is damaged or was made for other bytes is refused wherever
 * signatures are enforced or not; one that is missing, by an unknown key or with a hash that the kernel does not know
 * only where they are. That fails with certificates, since then the modules are to be signed; else it is a warning.
 *
 * @see linux `kernel/module/signing.c`, `crypto/asymmetric_keys/pkcs7_verify.c`
 */
export function checkSignature(
  bytes: Buffer,
  kernel: KernelFacts,
  certificates: readonly Certificate[] | undefined,
): CheckedSignature {
  const isForced = kernel.config?.get('CONFIG_MODULE_SIG_FORCE') === 'y';
  const notTrusted = certificates === undefined && !isForced ? warn : fail;
  if (kernel.config !== undefined && kernel.config.get('CONFIG_MODULE_SIG') !== 'y') {
    return { module: bytes, check: skip('this kernel was built without signatures of modules') };
  }
  if (!hasSignature(bytes)) {
    const hint = 'Sign the module with a key that the nodes trust.';
    return { module: bytes, check: notTrusted(`it is not signed: ${ONLY_UNENFORCED}`, { hint }) };
  }
  if (isOfUnknownType(bytes)) {
    const message = `its signature is of a type that the kernel does not know: ${ONLY_UNENFORCED}`;
    // It goes on before it has cut off more than the marker.
    return { module: bytes.subarray(0, -MARKER_BYTES), check: notTrusted(message) };
  }
  try {
    const { module, cms } = splitSignature(bytes);
    // The kernel's parser stops at the end of the message, whatever follows it.
    const message = parseSignedData(readDer(cms ?? Buffer.alloc(0)).der);
    const malformed = whyMalformed(message);
    if (malformed !== undefined) {
      return { module, check: fail(`its signature is damaged, which every kernel refuses: ${malformed}`) };
    }
    const known = { kernel, certificates: certificates ?? [], notTrusted };
    return { module, check: checkSigners(module, message.signers, known) };
  } catch (error) {
    if (!(error instanceof SignError)) throw error;
    const why = error.message.replace(/^Cannot read [^:]*: /, '');
    const message = `its signature is damaged, which every kernel refuses: ${why}`;
    return { module: bytes, check: fail(message, { hint: error.hint }) };
  }
}

/** The kernel looks at the length before the type, and then takes the module for one that it cannot judge. */
function isOfUnknownType(bytes: Buffer): boolean {
  if (bytes.length <= TRAILER_BYTES || bytes.at(-ID_TYPE_FROM_END) === ID_TYPE_PKCS7) return false;
  return bytes.readUInt32BE(bytes.length - LENGTH_FROM_END) < bytes.length - TRAILER_BYTES;
}

interface Known {
  readonly kernel: KernelFacts;
  readonly certificates: readonly Certificate[];
  readonly notTrusted: typeof warn;
}

/** All signers must hold whose keys are known; one that is not known does not spoil those that are. */
function checkSigners(module: Buffer, signers: readonly SignerInfo[], known: Known): Check {
  if (signers.some(({ attributes }) => attributes !== undefined)) {
    return fail('its signature has signed attributes, which every kernel refuses', {
      hint: 'Sign with the kernel\'s sign-file, with "openssl cms -noattr", or with "kmodlayer sign".',
    });
  }
  const unsupported = signers.find(
    ({ digestOid, signatureOid }) => findHash(digestOid) === undefined || !KNOWN_ALGORITHM.test(signatureOid),
  );
  if (unsupported !== undefined) {
    const found =
      findHash(unsupported.digestOid) === undefined ? unsupported.digestOid : unsupported.signatureOid;
    return known.notTrusted(`the kernel does not know how it was signed: ${ONLY_UNENFORCED}`, { found });
  }
  const checks = signers.map((signer) => checkSigner(module, signer, known));
  const damaged = checks.find(({ message }) => message === OTHER_BYTES);
  // A second signer whom nobody knows must not spoil what the first one vouches for.
  const order = ['pass', 'skip', 'warn', 'fail'];
  const sorted = checks.toSorted((left, right) => order.indexOf(left.status) - order.indexOf(right.status));
  return damaged ?? sorted[0] ?? fail('nobody signed it');
}

const OTHER_BYTES =
  'its signature was made for other bytes, or by another key of that name; every kernel refuses it';

function checkSigner(module: Buffer, signer: SignerInfo, known: Known): Check {
  const { kernel, certificates, notTrusted } = known;
  const hash = findHash(signer.digestOid) as KnownHash;
  const found = `${nameOf(signer.id)}, ${hash}`;
  const candidates = certificates.filter((certificate) => isNamed(certificate, signer.id));
  const isKernels = kernel.signers?.some(({ id }) => isSame(id, signer.id)) === true;
  if (candidates.length === 0 && !isKernels) {
    return notTrusted(`nobody who is known to be trusted signed it: ${ONLY_UNENFORCED}`, {
      found,
      hint: 'Give the certificate that the nodes trust, or sign the module with its key.',
    });
  }
  const knowsHash = isKnownHash(kernel, hash);
  if (knowsHash === false) {
    return notTrusted(`the kernel cannot compute ${hash} when it loads modules: ${ONLY_UNENFORCED}`, {
      wanted: hashesOf(kernel),
      found,
      hint: "Sign with the hash that the kernel's own modules have.",
    });
  }
  if (knowsCurves(kernel) === false && signer.signatureOid.startsWith(OIDS_OF_CURVES)) {
    return notTrusted(`the kernel takes no keys on elliptic curves: ${ONLY_UNENFORCED}`, {
      found,
      hint: 'Sign with an RSA key.',
    });
  }
  if (candidates.length === 0) {
    return skip(
      "it names the signer of the kernel's own modules; only that certificate could tell whether it is theirs",
      {
        found,
      },
    );
  }
  const certificate = candidates.find(({ publicKey }) => {
    try {
      return verify(hash, module, publicKey, signer.signature);
    } catch {
      return false; // A key that cannot verify at all, or a hash that this OpenSSL refuses.
    }
  });
  if (certificate === undefined) return fail(OTHER_BYTES, { found });
  if (knowsHash === undefined) {
    return warn(`whether the kernel can compute ${hash} when it loads modules is not known`, {
      wanted: hashesOf(kernel),
      found,
      hint: "Sign with the hash that the kernel's own modules have.",
    });
  }
  const signedBy = `signed by ${certificate.subjectCommonName ?? 'the certificate that was given'}`;
  if (kernel.config?.get('CONFIG_EFI_DISABLE_RUNTIME') === 'y' && !isKernels) {
    return warn(`${signedBy}; this kernel does not ask the firmware for certificates unless it is told to`, {
      found,
      hint: 'Start the nodes with the kernel argument efi=runtime.',
    });
  }
  return pass(signedBy, { found });
}

/** Undefined when neither the kernel's modules nor its configuration tell. */
function isKnownHash({ signers, config }: KernelFacts, hash: KnownHash): boolean | undefined {
  if (hash === 'sha256' || hash === 'sha1') return true;
  if (signers?.some(({ digestOid }) => findHash(digestOid) === hash) === true) return true;
  const option = hash.startsWith('sha3-') ? 'CONFIG_CRYPTO_SHA3' : 'CONFIG_CRYPTO_SHA512';
  return config === undefined || hash === 'sha224' ? undefined : config.get(option) === 'y';
}

const OIDS_OF_CURVES = '1.2.840.10045.';

/** Undefined when the configuration is not known. */
function knowsCurves({ config }: KernelFacts): boolean | undefined {
  return config === undefined ? undefined : config.get('CONFIG_CRYPTO_ECDSA') === 'y';
}

function hashesOf({ signers }: KernelFacts): string | undefined {
  return signers?.map(({ digestOid }) => findHash(digestOid) ?? digestOid).join(', ');
}

function isNamed(certificate: Certificate, id: SignerId): boolean {
  if (id.kind === 'key-id') return certificate.subjectKeyId?.equals(id.keyId) === true;
  return certificate.issuer.equals(id.issuer) && certificate.serial.equals(id.serial);
}

function isSame(left: SignerId, right: SignerId): boolean {
  if (left.kind === 'key-id') return right.kind === 'key-id' && left.keyId.equals(right.keyId);
  return right.kind !== 'key-id' && left.issuer.equals(right.issuer) && left.serial.equals(right.serial);
}

function nameOf(id: SignerId): string {
  if (id.kind === 'key-id') return `key ${id.keyId.toString('hex')}`;
  return findCommonName(id.issuer) ?? `serial ${id.serial.toString('hex')}`;
}
