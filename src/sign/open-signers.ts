import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import pLimit from 'p-limit';
import { SignError } from '../errors.ts';
import type { Io } from '../io.ts';
import {
  type DriverSet,
  pathFrom,
  type Pkcs11Settings,
  type SecretSource,
  type SignerSettings,
} from '../spec/spec.ts';
import { type Certificate, parseCertificate } from './certificate.ts';
import { certificateWarnings } from './certificate-warnings.ts';
import { makeCommandSigner } from './command-signer.ts';
import { keyOfSerial } from './describe-signature.ts';
import type { SignatureHash } from './hash.ts';
import { makeKeyFileSigner } from './key-file.ts';
import { makePkcs11Signer } from './pkcs11-signer.ts';
import { toPem } from './pem.ts';
import type { Signer } from './signer.ts';
import { makeThrowAwayKey, THROW_AWAY_NAME } from './throw-away-key.ts';

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
    /** The certificate in PEM. */
    readonly certificate: string;
  };
}

/** What signers reach of the outside world. */
export type SignIo = Pick<Io, 'files' | 'env' | 'now' | 'report' | 'runProgram' | 'signal'>;

/**
 * The signers of a set, keys of files in memory; none when the set is not signed, which is said aloud. What is odd about
 * a certificate is reported.
 *
 * @throws {SignError} as `makeKeyFileSigner` does, and `KEY_UNREADABLE` when a file, a passphrase or a PIN is missing.
 */
export async function openSigners(
  { signing, file }: Pick<DriverSet, 'signing' | 'file'>,
  io: SignIo,
): Promise<readonly OpenedSigner[]> {
  if (signing.type === 'throw-away') return [await makeThrowAwaySigner(io)];
  if (signing.type === 'unsigned') {
    io.report({
      type: 'warning',
      message: 'the modules will not be signed',
      hint: 'Nodes with Secure Boot refuse unsigned modules; give "sign" a key and its certificate.',
    });
    return [];
  }
  const opened: OpenedSigner[] = [];
  for (const settings of signing.signers) opened.push(await openSigner(settings, file, io));
  return opened;
}

/** Who will sign, as far as it is known without a key. */
export interface SigningCertificate {
  readonly certificate: Certificate;
  readonly hash: SignatureHash;
}

/**
 * The certificates of the signers of a set; no key is touched. Undefined for a key that is made when it is needed.
 *
 * @throws {SignError} `KEY_UNREADABLE`, `CERTIFICATE_INVALID`.
 */
export async function readCertificates(
  { signing, file }: Pick<DriverSet, 'signing' | 'file'>,
  io: Pick<Io, 'files'>,
): Promise<readonly SigningCertificate[] | undefined> {
  if (signing.type === 'throw-away') return undefined;
  if (signing.type === 'unsigned') return [];
  return Promise.all(
    signing.signers.map(async ({ certificate, hash }) => ({
      certificate: parseCertificate(await readFile(pathFrom(file, certificate), 'certificate', io)),
      hash,
    })),
  );
}

/** A signer whose key nobody else will ever have. */
async function makeThrowAwaySigner({ now, report }: SignIo): Promise<OpenedSigner> {
  const { privateKey, certificate } = await makeThrowAwayKey(THROW_AWAY_NAME, now());
  report({
    type: 'warning',
    message: 'the modules are signed with a key that is thrown away: what is built cannot be published',
  });
  const key = privateKey.export({ type: 'pkcs8', format: 'der' });
  const signer = makeKeyFileSigner({ key, certificate });
  return { signer, hash: 'sha256', provenance: signerProvenance(signer.certificate, 'sha256') };
}

async function openSigner(settings: SignerSettings, file: string, io: SignIo): Promise<OpenedSigner> {
  const { hash } = settings;
  const signer = await makeSigner(settings, file, io);
  const { certificate } = signer;
  // Drivers are signed side by side; tokens and services are rarely glad of two calls at once.
  const oneAtATime = pLimit(1);
  for (const { message, hint } of certificateWarnings(certificate, io.now())) {
    io.report({ type: 'warning', message, hint });
  }
  return {
    signer: { certificate, sign: (request) => oneAtATime(() => signer.sign(request)) },
    hash,
    provenance: signerProvenance(certificate, hash),
  };
}

async function makeSigner(settings: SignerSettings, file: string, io: SignIo): Promise<Signer> {
  const read = (path: string, what: string): Promise<Uint8Array> => readFile(pathFrom(file, path), what, io);
  const readCertificate = (): Promise<Uint8Array> => read(settings.certificate, 'certificate');
  switch (settings.type) {
    case 'file': {
      const key = await read(settings.key, 'private key');
      const certificate = await readCertificate();
      const passphrase = await readSecret(settings.passphrase, 'passphrase of the key', file, io);
      return makeKeyFileSigner({ key, passphrase, certificate });
    }
    case 'command': {
      const [program, ...args] = settings.command;
      // As everywhere in a spec, paths start at its directory; bare names are looked up in PATH.
      const command = [program.includes('/') ? pathFrom(file, program) : program, ...args] as const;
      const directory = dirname(file);
      return makeCommandSigner(
        { ...settings, command, directory, certificate: parseCertificate(await readCertificate()) },
        io,
      );
    }
    case 'pkcs11': {
      const { key: uri } = settings;
      const inUri = uri.pinFile === undefined ? undefined : ({ type: 'file', path: uri.pinFile } as const);
      const pin = await readSecret(settings.pin ?? inUri, 'PIN of the token', file, io);
      const library = libraryOf(settings, file, io.env);
      return makePkcs11Signer(
        {
          uri,
          library,
          pin,
          directory: dirname(file),
          certificate: parseCertificate(await readCertificate()),
        },
        io,
      );
    }
  }
}

function libraryOf({ library, key }: Pkcs11Settings, file: string, env: Io['env']): string {
  const inSpec = library ?? key.modulePath;
  const found = inSpec === undefined ? env['PKCS11_MODULE_PATH'] : pathFrom(file, inSpec);
  if (found !== undefined && found !== '') return found;
  throw new SignError('KEY_UNREADABLE', 'Cannot use a PKCS#11 key: no library of its token is named', {
    hint: 'Give "library" in the spec, "module-path=..." in the URI, or PKCS11_MODULE_PATH.',
  });
}

/** What a provenance says of whoever signs with a certificate. */
export function signerProvenance(certificate: Certificate, hash: SignatureHash): OpenedSigner['provenance'] {
  return {
    subject: certificate.subjectCommonName ?? '',
    serial: keyOfSerial(certificate.serial),
    hash,
    certificateSha256: createHash('sha256').update(certificate.der).digest('hex'),
    certificate: toPem('CERTIFICATE', certificate.der).toString(),
  };
}

async function readSecret(
  source: SecretSource | undefined,
  what: string,
  file: string,
  io: Pick<Io, 'files' | 'env'>,
): Promise<string | undefined> {
  if (source === undefined) return undefined;
  if (source.type === 'env') {
    const secret = io.env[source.name];
    if (secret !== undefined) return secret;
    throw new SignError('KEY_UNREADABLE', `Cannot read the ${what}: ${source.name} is not set`, {
      hint: `Set the environment variable ${source.name}.`,
    });
  }
  const text = Buffer.from(await readFile(pathFrom(file, source.path), what, io)).toString('utf8');
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
