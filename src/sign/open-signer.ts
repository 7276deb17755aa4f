import { createHash } from 'node:crypto';
import { SignError } from '../errors.ts';
import type { Io } from '../io.ts';
import { type DriverSet, type PassphraseSource, pathFrom } from '../spec/spec.ts';
import { certificateWarnings } from './certificate.ts';
import { makeKeyFileSigner } from './key-file.ts';
import type { SignatureHash } from './hash.ts';
import type { Signer } from './signer.ts';

/** A signer that is ready, and what a provenance says of it. */
export interface OpenedSigner {
  readonly signer: Signer;
  readonly hash: SignatureHash;
  readonly provenance: {
    /** Common name of the certificate's subject. */
    readonly subject: string;
    /** Serial number in hex, as modinfo shows it in `sig_key`. */
    readonly serial: string;
    readonly hash: SignatureHash;
    /** Digest of the certificate's DER bytes, hex. */
    readonly certificateSha256: string;
  };
}

/**
 * The signer of a set, with its key in memory; undefined when the set has none, which is said aloud.
 *
 * @throws {SignError} as `makeKeyFileSigner` does, and `KEY_UNREADABLE` when a file or the passphrase is missing.
 */
export async function openSigner(
  set: Pick<DriverSet, 'signer' | 'file'>,
  io: Pick<Io, 'files' | 'env' | 'now' | 'report'>,
): Promise<OpenedSigner | undefined> {
  const settings = set.signer;
  if (settings === undefined) {
    io.report({
      type: 'warning',
      message: 'the modules will not be signed',
      hint: 'Nodes with Secure Boot refuse unsigned modules; give "sign" a key and its certificate.',
    });
    return undefined;
  }
  const read = (path: string, what: string): Promise<Uint8Array> =>
    readFile(pathFrom(set.file, path), what, io);
  const signer = makeKeyFileSigner({
    key: await read(settings.key, 'private key'),
    certificate: await read(settings.certificate, 'certificate'),
    passphrase: await readPassphrase(settings.passphrase, set.file, io),
  });
  for (const message of certificateWarnings(signer.certificate, io.now()))
    io.report({ type: 'warning', message });
  const { certificate } = signer;
  return {
    signer,
    hash: settings.hash,
    provenance: {
      subject: certificate.subjectCommonName ?? '',
      serial: serialOf(certificate.serial),
      hash: settings.hash,
      certificateSha256: createHash('sha256').update(certificate.der).digest('hex'),
    },
  };
}

/** A serial number as modinfo prints it; `der` has a tag and a length of one byte each before it. */
function serialOf(der: Buffer): string {
  return [...der.subarray(2)].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
}

async function readPassphrase(
  source: PassphraseSource | undefined,
  file: string,
  io: Pick<Io, 'files' | 'env'>,
): Promise<string | undefined> {
  if (source === undefined) return undefined;
  if (source.type === 'env') {
    const passphrase = io.env[source.name];
    if (passphrase !== undefined) return passphrase;
    throw new SignError(
      'KEY_UNREADABLE',
      `Cannot read the passphrase of the key: ${source.name} is not set`,
      {
        hint: `Set the environment variable ${source.name}.`,
      },
    );
  }
  const text = Buffer.from(await readFile(pathFrom(file, source.path), 'passphrase', io)).toString('utf8');
  return text.split(/\r?\n/, 1)[0] ?? '';
}

async function readFile(path: string, what: string, io: Pick<Io, 'files'>): Promise<Uint8Array> {
  try {
    return await io.files.read(path);
  } catch (cause) {
    throw new SignError('KEY_UNREADABLE', `Cannot read the ${what} ${path}`, {
      cause,
      hint: 'Check the path, which is relative to the spec, and who may read the file.',
    });
  }
}
