import { RegistryError } from '../errors.ts';

/** A file with credentials, as containers-auth.json(5) and Docker's config describe it. */
export interface AuthFile {
  readonly entries: ReadonlyMap<string, AuthEntry>;
  /** Helper programs by host: `secretservice` stands for `docker-credential-secretservice`. */
  readonly helpers: ReadonlyMap<string, string>;
  /** Docker's helper for everything that has no other. */
  readonly store: string | undefined;
}

/** What a file says about one host, namespace or repository. */
export interface AuthEntry {
  readonly user: string;
  readonly password: string;
  readonly identityToken: string | undefined;
}

/** How the file is laid out: `dockercfg` is the old one, which is only a map of hosts. */
export type AuthFormat = 'containers' | 'dockercfg';

const MAX_BYTES = 8 * 1024 ** 2;
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/;

/**
 * Reads a file with credentials; a Red Hat pull secret is one. Messages name the file and never its content.
 *
 * @throws {RegistryError} `CREDENTIALS_INVALID`.
 */
export function parseAuthFile(bytes: Uint8Array, file: string, format: AuthFormat = 'containers'): AuthFile {
  if (bytes.length > MAX_BYTES) throw invalid(file, `it has ${bytes.length} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // The parser's message quotes what it read: it must not be shown.
    throw invalid(file, 'it is not JSON');
  }
  const root = objectOf(json, file, 'it');
  const auths = format === 'dockercfg' ? root : objectOf(root['auths'] ?? {}, file, '"auths"');
  const entries = new Map<string, AuthEntry>();
  for (const [key, value] of Object.entries(auths)) {
    const entry = parseEntry(objectOf(value, file, `the entry for ${shownKey(key)}`), file, key);
    if (entry !== undefined) entries.set(key, entry);
  }
  if (format === 'dockercfg') return { entries, helpers: new Map(), store: undefined };
  const helpers = Object.entries(objectOf(root['credHelpers'] ?? {}, file, '"credHelpers"'));
  const store = root['credsStore'];
  return {
    entries,
    helpers: new Map(helpers.map(([host, name]) => [host, helperName(name, file)])),
    store: store === undefined || store === null || store === '' ? undefined : helperName(store, file),
  };
}

/**
 * The entry that is closest to a repository: its own, then those of the namespaces above it, then the host's, then
 * one under another spelling of the host.
 */
export function findEntry(file: AuthFile, host: string, repository: string): AuthEntry | undefined {
  for (let key = `${host}/${repository}`; ; key = key.slice(0, key.lastIndexOf('/'))) {
    const found = file.entries.get(key);
    if (found !== undefined) return found;
    if (!key.includes('/')) break;
  }
  const wanted = normalHost(host);
  for (const [key, entry] of file.entries) if (normalHost(hostOfKey(key)) === wanted) return entry;
  return undefined;
}

/** The helper program for a host, or undefined. */
export function findHelper(file: AuthFile, host: string): string | undefined {
  const wanted = normalHost(host);
  for (const [key, name] of file.helpers) if (normalHost(hostOfKey(key)) === wanted) return name;
  return undefined;
}

/** Keys of old clients are URLs; a key with a path but without a scheme is for that path alone. */
function hostOfKey(key: string): string {
  const match = /^https?:\/\/([^/]*)/.exec(key);
  return match?.[1] ?? key;
}

function normalHost(host: string): string {
  const lower = host.toLowerCase();
  return lower === 'index.docker.io' || lower === 'registry-1.docker.io' ? 'docker.io' : lower;
}

function parseEntry(json: Record<string, unknown>, file: string, key: string): AuthEntry | undefined {
  const { auth, username, password, identitytoken } = json;
  const identityToken = typeof identitytoken === 'string' && identitytoken !== '' ? identitytoken : undefined;
  if (typeof auth === 'string' && auth !== '') {
    const text = decodeBase64(auth);
    const colon = text?.indexOf(':') ?? -1;
    if (text === undefined || colon < 0) {
      throw invalid(file, `"auth" of ${shownKey(key)} is not user and password in base64`);
    }
    // Some clients padded the password with zero bytes.
    const secret = text.slice(colon + 1).replace(/\0+$/, '');
    return { user: text.slice(0, colon), password: secret, identityToken };
  }
  if (typeof username === 'string' && username !== '' && typeof password === 'string') {
    return { user: username, password, identityToken };
  }
  return identityToken === undefined ? undefined : { user: '', password: '', identityToken };
}

function decodeBase64(text: string): string | undefined {
  const plain = text.replaceAll(/\s/g, '');
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(plain) ? Buffer.from(plain, 'base64').toString('utf8') : undefined;
}

function helperName(name: unknown, file: string): string {
  if (typeof name === 'string' && HELPER_NAME.test(name)) return name;
  throw invalid(file, 'it names a credential helper that is no program name');
}

function objectOf(json: unknown, file: string, what: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    return json as Record<string, unknown>;
  throw invalid(file, `${what} is not an object`);
}

function shownKey(key: string): string {
  return JSON.stringify(key.replace(/\/\/[^/@]*@/, '//').slice(0, 200));
}

function invalid(file: string, why: string): RegistryError {
  return new RegistryError('CREDENTIALS_INVALID', `Cannot read the credentials in ${file}: ${why}`, {
    hint: 'The file must look like {"auths":{"quay.io":{"auth":"..."}}}, as "podman login" writes it.',
  });
}
