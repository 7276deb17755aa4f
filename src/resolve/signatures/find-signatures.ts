import { RegistryError } from '../../errors.ts';
import type { Io } from '../../io.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Signatures } from './verification-policy.ts';

/** What looking for signatures needs of the outside world. */
export type SignatureIo = Pick<Io, 'web' | 'files' | 'cache' | 'signal'>;

/** Where signatures may be. */
export interface SignaturePlaces {
  /** Asked in this order, until one has some that hold. */
  readonly stores: readonly string[];
  /** What the user gave. */
  readonly given: readonly Signatures[];
  /** Stores that could not be reached, and why: they are not asked again. */
  readonly unreachable: Map<string, string>;
}

/** What came of looking for the signatures of a release. */
export interface SignatureSearch {
  /** Stores that answered. */
  readonly answered: string[];
  /** Why others did not. */
  readonly failed: string[];
}

/** Signatures of one release that are read, as other tools do. */
const MAX_SIGNATURES = 9;
/** Signatures of one release that are kept. */
const MAX_KEPT = 32;
/** Largest signature: 64 KiB; real ones have 900 bytes. */
const MAX_SIGNATURE_BYTES = 64 * 1024;

/**
 * Looks through what the user gave and what was kept, then the stores, one after the other for as long as the caller
 * asks for more. What is found proves nothing yet.
 *
 * @param search Is told what the stores answered.
 */
export async function* findSignatures(
  digest: Digest,
  { stores, given, unreachable, search }: SignaturePlaces & { readonly search: SignatureSearch },
  io: SignatureIo,
): AsyncGenerator<readonly Uint8Array[]> {
  const known = given.flatMap((signatures) => signatures.get(digest) ?? []);
  yield [...known, ...(await readKeptSignatures(digest, io))];
  for (const store of stores) {
    const before = unreachable.get(store);
    if (before !== undefined) {
      search.failed.push(before);
      continue;
    }
    let signatures: readonly Uint8Array[];
    try {
      signatures = await readStore(store, digest, io);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      unreachable.set(store, error.message);
      search.failed.push(error.message);
      continue;
    }
    search.answered.push(store);
    yield signatures;
  }
}

/** Keeps signatures that held, so that the release can be verified again where no store can be reached. */
export async function keepSignatures(
  digest: Digest,
  signatures: readonly Uint8Array[],
  { cache }: Pick<Io, 'cache'>,
): Promise<void> {
  // Other runs may trust other keys: what was kept for them is among these.
  const texts = new Set(signatures.map((one) => Buffer.from(one).toString('base64')));
  await cache.put(keyOf(digest), Buffer.from(JSON.stringify([...texts].slice(-MAX_KEPT))));
}

/** Signatures that held once, when the release was verified; empty when it never was. */
export async function readKeptSignatures(
  digest: Digest,
  { cache }: Pick<Io, 'cache'>,
): Promise<readonly Uint8Array[]> {
  return decode(await cache.get(keyOf(digest)));
}

async function readStore(store: string, digest: Digest, io: SignatureIo): Promise<readonly Uint8Array[]> {
  const signatures: Uint8Array[] = [];
  for (let number = 1; number <= MAX_SIGNATURES; number++) {
    const path = `${store}/${digest.replace(':', '=')}/signature-${number}`;
    const signature = store.startsWith('file://')
      ? await readFile(decodeURIComponent(new URL(path).pathname), io)
      : await io.web.get({
          url: path,
          what: `the signature of release ${digest.slice(0, 19)}`,
          maxBytes: MAX_SIGNATURE_BYTES,
          attempts: 2,
          signal: io.signal,
        });
    if (signature === undefined) break;
    signatures.push(signature);
  }
  return signatures;
}

async function readFile(path: string, { files }: Pick<Io, 'files'>): Promise<Uint8Array | undefined> {
  try {
    return await files.read(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function keyOf(digest: Digest): string {
  return `release-signatures-${digest.replace(':', '-')}`;
}

/** What was kept is verified like any other signature: it need not be trusted. */
function decode(bytes: Uint8Array | undefined): readonly Uint8Array[] {
  if (bytes === undefined) return [];
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return Array.isArray(json) ? json.map((text) => Buffer.from(String(text), 'base64')) : [];
  } catch {
    return [];
  }
}
