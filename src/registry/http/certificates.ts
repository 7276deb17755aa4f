import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { RegistryError } from '../../errors.ts';
import { fileErrorCode } from '../atomic-file.ts';

export interface TrustOptions {
  /** PEM files with CAs that are trusted for every host. */
  readonly caFiles: readonly string[];
  /** Directories with `*.crt`, `*.cert` and `*.key` for every host. */
  readonly certDirs: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hosts that nobody has to vouch for: the machine's CAs are not read for them. */
  readonly insecureHosts?: ReadonlySet<string>;
}

/** Where the machine's own CAs are, in the order in which Go's tools look. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
];

/**
 * What is trusted for a host: the machine's CAs, those that the user gave, and those of `certs.d/<host>`. One context
 * serves all connections to a host, as to make one takes about 20 ms.
 *
 * @throws {RegistryError} `CREDENTIALS_INVALID` for a file that cannot be read or is no certificate.
 * @see containers-certs.d(5)
 */
export async function secureContextFor(host: string, options: TrustOptions): Promise<SecureContext> {
  const { createSecureContext, rootCertificates } = await import('node:tls');
  const { caFiles, certDirs, env } = options;
  const own = [...certDirs, ...hostDirectories(host, env)];
  const fromDirectories = await Promise.all(own.map(readCertDirectory));
  const given = await Promise.all(caFiles.map(readGiven));
  const machine = options.insecureHosts?.has(host) === true ? [] : await machineCas(env);
  const ca = [
    ...(machine ?? rootCertificates),
    ...given,
    ...fromDirectories.flatMap((directory) => directory.ca),
  ];
  const client = fromDirectories.find(({ cert }) => cert !== undefined);
  const settings: SecureContextOptions = { ca };
  try {
    return createSecureContext(
      client?.cert === undefined || client.key === undefined
        ? settings
        : { ...settings, cert: client.cert, key: client.key },
    );
  } catch (error) {
    throw new RegistryError('CREDENTIALS_INVALID', `Cannot use the certificates for ${host}`, {
      cause: error,
      hint: `Look at ${[...caFiles, ...own].join(', ')}: CAs and certificates must be PEM files.`,
    });
  }
}

function hostDirectories(host: string, env: TrustOptions['env']): readonly string[] {
  const home = env['HOME'] ?? homedir();
  return [
    join(home, '.config', 'containers', 'certs.d', host),
    join('/etc/containers/certs.d', host),
    join('/etc/docker/certs.d', host),
  ];
}

interface CertDirectory {
  readonly ca: readonly Buffer[];
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

async function readCertDirectory(directory: string): Promise<CertDirectory> {
  let names: string[];
  try {
    names = (await readdir(directory)).sort();
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT' || fileErrorCode(error) === 'EACCES') return { ca: [] };
    throw unreadable(directory, error);
  }
  const ca = await Promise.all(
    names.filter((name) => name.endsWith('.crt')).map((name) => readGiven(join(directory, name))),
  );
  const certName = names.find((name) => name.endsWith('.cert'));
  const keyName = certName?.replace(/\.cert$/, '.key');
  if (certName === undefined || keyName === undefined || !names.includes(keyName)) return { ca };
  const [cert, key] = await Promise.all([
    readGiven(join(directory, certName)),
    readGiven(join(directory, keyName)),
  ]);
  return { ca, cert, key };
}

/** The machine's CAs; undefined when it has none of its own. */
async function machineCas(env: TrustOptions['env']): Promise<readonly Buffer[] | undefined> {
  const extraFile = env['NODE_EXTRA_CA_CERTS'];
  for (const path of [env['SSL_CERT_FILE'], ...SYSTEM_BUNDLES]) {
    const bundle = await readOptional(path);
    if (bundle === undefined) continue;
    const extra = extraFile === path ? undefined : await readOptional(extraFile);
    return extra === undefined ? [bundle] : [bundle, extra];
  }
  return undefined;
}

async function readOptional(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined || path === '') return undefined;
  try {
    return await readFile(path);
  } catch {
    return undefined;
  }
}

async function readGiven(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): RegistryError {
  return new RegistryError(
    'CREDENTIALS_INVALID',
    `Cannot read ${path}: ${fileErrorCode(error) ?? 'it is unreadable'}`,
    { cause: error, hint: 'It was given as a certificate or CA.' },
  );
}
