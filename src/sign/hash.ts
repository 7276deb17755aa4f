import { SignError } from '../errors.ts';

/** Hashes that modules are signed with today. Take the one that the kernel's own modules have. */
export type SignatureHash = 'sha256' | 'sha384' | 'sha512';

/** Hashes that signatures of modules may have; the older ones are read, not written. */
export type KnownHash = SignatureHash | 'sha1' | 'sha224' | 'sha3-256' | 'sha3-384' | 'sha3-512';

const OIDS: Readonly<Record<KnownHash, string>> = {
  sha1: '1.3.14.3.2.26',
  sha224: '2.16.840.1.101.3.4.2.4',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  'sha3-256': '2.16.840.1.101.3.4.2.8',
  'sha3-384': '2.16.840.1.101.3.4.2.9',
  'sha3-512': '2.16.840.1.101.3.4.2.10',
};

const SIGNATURE_HASHES: readonly SignatureHash[] = ['sha256', 'sha384', 'sha512'];

/**
 * Reads the name of a hash to sign with.
 *
 * @throws {SignError} `HASH_UNSUPPORTED`.
 */
export function parseSignatureHash(text: string): SignatureHash {
  const hash = SIGNATURE_HASHES.find((known) => known === text.toLowerCase());
  if (hash === undefined) {
    throw new SignError('HASH_UNSUPPORTED', `Cannot sign with hash ${JSON.stringify(text.slice(0, 100))}`, {
      hint: `Use ${SIGNATURE_HASHES.join(', ')}: the one that "modinfo" shows for the modules of the kernel.`,
    });
  }
  return hash;
}

/** The object identifier of a hash. */
export function oidOfHash(hash: KnownHash): string {
  return OIDS[hash];
}

/** The hash of an object identifier; undefined for one that no kernel takes. */
export function findHash(oid: string): KnownHash | undefined {
  return (Object.keys(OIDS) as KnownHash[]).find((hash) => OIDS[hash] === oid);
}
