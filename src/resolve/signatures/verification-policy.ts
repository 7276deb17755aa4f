import { ResolveError } from '../../errors.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { readYamlDocuments } from '../../yaml-documents.ts';
import { type PublicKey, readKeyring } from '../openpgp/keyring.ts';

/** Whose signatures count, and where they are. */
export interface VerificationPolicy {
  /** Each of these keyrings must have a key that signed; the keys of one are alternatives. */
  readonly keyrings: readonly (readonly PublicKey[])[];
  /** Addresses below which signatures lie: `<store>/sha256=<hex>/signature-<n>`. */
  readonly stores: readonly string[];
}

/** Signatures by the digest of the release that they are for. */
export type Signatures = ReadonlyMap<Digest, readonly Uint8Array[]>;

/** Largest file with keys or signatures: 16 MiB; a signature in a ConfigMap has about 1.5 kB. */
const MAX_BYTES = 16 * 1024 ** 2;
const KEY = /^verifier-public-key-/;
const STORE = /^store-/;
/** As clusters and tools that mirror releases name them: `sha256-<hex>-<n>`. */
const SIGNATURE = /^sha256-([0-9a-f]{64})-\d{1,3}$/;

/**
 * Reads keys that releases are verified with: a keyring, armored or binary, or the ConfigMap of a payload that is annotated
 * `release.openshift.io/verification-config-map`, which names stores, too.
 *
 * @throws {ResolveError} `KEYRING_INVALID`.
 */
export function parseVerificationPolicy(bytes: Uint8Array, file: string): VerificationPolicy {
  const text = textOf(bytes, file);
  if ((bytes[0] ?? 0) >= 0x80 || text.trimStart().startsWith('-----BEGIN PGP')) {
    return { keyrings: [keyringOf(bytes, file)], stores: [] };
  }
  const data = configMapsOf(text, file).flatMap((map) => entriesOf(map['data']));
  const keyrings = data
    .filter(([name]) => KEY.test(name))
    .map(([, value]) => keyringOf(Buffer.from(value, 'utf8'), file));
  if (keyrings.length === 0) {
    throw invalid(
      file,
      'it has no entry verifier-public-key-*',
      'Give a keyring, or the ConfigMap of a payload.',
    );
  }
  const stores = data.filter(([name]) => STORE.test(name)).map(([, value]) => parseStore(value, file));
  return { keyrings, stores };
}

/**
 * Reads the address of a store of signatures.
 *
 * @throws {ResolveError} `KEYRING_INVALID`.
 */
export function parseStore(text: string, file: string): string {
  const store = text.trim().replace(/\/+$/, '');
  const isAddress = /^(?:https?|file):\/\/[^\s?#]+$/.test(store) && URL.canParse(store);
  if (isAddress && isText(new URL(store).pathname)) return store;
  throw invalid(file, `its store ${JSON.stringify(store.slice(0, 200))} is no address`);
}

/** Says whether each "%" begins a byte, and those bytes are text: a path of this machine is made of them. */
function isText(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads signatures of releases from ConfigMaps, as clusters of disconnected sites have them: `binaryData` with a key
 * `sha256-<hex>-<n>` for each. Other objects are passed over.
 *
 * @throws {ResolveError} `KEYRING_INVALID` for what is no YAML, or holds no signature.
 */
export function parseSignatureMaps(bytes: Uint8Array, file: string): Signatures {
  const signatures = new Map<Digest, Uint8Array[]>();
  for (const map of configMapsOf(textOf(bytes, file), file)) {
    for (const [name, value] of entriesOf(map['binaryData'])) {
      const digest = `sha256:${SIGNATURE.exec(name)?.[1] ?? ''}`;
      if (!isDigest(digest)) continue;
      signatures.set(digest, [...(signatures.get(digest) ?? []), Buffer.from(value, 'base64')]);
    }
  }
  if (signatures.size > 0) return signatures;
  throw invalid(
    file,
    'no ConfigMap in it has a signature',
    'Its binaryData should have keys sha256-<hex>-<n>.',
  );
}

type Json = Readonly<Record<string, unknown>>;

function configMapsOf(text: string, file: string): readonly Json[] {
  try {
    // One of the published ConfigMaps has an annotation twice; clusters take the last.
    return readYamlDocuments(text, { uniqueKeys: false }).flatMap((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return itemsOf(document.toJS({ maxAliasCount: 100 })).filter(({ kind }) => kind === 'ConfigMap');
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw invalid(file, `it is not YAML: ${(error.message.split('\n')[0] ?? '').slice(0, 200)}`);
  }
}

function itemsOf(object: unknown): readonly Json[] {
  if (!isObject(object)) return [];
  const { items } = object;
  return Array.isArray(items) ? items.filter(isObject) : [object];
}

function entriesOf(data: unknown): readonly (readonly [string, string])[] {
  if (!isObject(data)) return [];
  return Object.entries(data).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keyringOf(bytes: Uint8Array, file: string): readonly PublicKey[] {
  try {
    return readKeyring(bytes);
  } catch (error) {
    if (!(error instanceof ResolveError)) throw error;
    throw invalid(file, error.message.replace(/^[^:]*: /, ''));
  }
}

function textOf(bytes: Uint8Array, file: string): string {
  if (bytes.length > MAX_BYTES) throw invalid(file, `it has more than ${MAX_BYTES} bytes`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function invalid(file: string, why: string, hint?: string): ResolveError {
  return new ResolveError('KEYRING_INVALID', `Cannot use ${file} to verify releases: ${why}`, { hint });
}
