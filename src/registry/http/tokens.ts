import { isIP } from 'node:net';
import { RegistryError } from '../../errors.ts';
import type { Credential } from '../credential.ts';
import type { Challenge } from './challenge.ts';
import { isLoopback } from './proxy.ts';
import { discard, type HttpRequest, type HttpResponse, readStart, type Send } from './message.ts';

/** Where and for what a token is asked. */
export interface TokenRequest {
  /** Base URL of the registry that sent the challenge. */
  readonly registry: URL;
  readonly challenge: Challenge;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
  readonly signal: AbortSignal | undefined;
  /** Where a credential comes from, for a user who has none that works. */
  readonly hint: string;
}

/** Tokens of one run, shared by all repositories: token servers limit how often they are asked. */
export interface Tokens {
  /** A token that holds for the scopes, from memory or from the server. */
  get(request: TokenRequest): Promise<string>;
  /** Forgets a token that a registry did not accept, unless it was renewed meanwhile. */
  forget(request: TokenRequest, token: string): void;
}

interface Kept {
  readonly token: string;
  readonly renewAtMs: number;
}

const CLIENT_ID = 'kmodlayer';
const MAX_TOKEN_BYTES = 1024 ** 2;
/** What the protocol says a token lives when the server does not. */
const DEFAULT_SECONDS = 60;
/** A token is renewed when this share of its life is over, so that it does not end while a request is on its way. */
const USABLE_SHARE = 0.8;

/**
 * Asks token servers for bearer tokens.
 *
 * @param send Must retry; it gets requests without scopes.
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export function makeTokens(send: Send, now: () => number = Date.now): Tokens {
  const kept = new Map<string, Promise<Kept>>();
  return {
    async get(request) {
      const key = keyOf(request);
      const found = kept.get(key);
      if (found !== undefined) {
        const { token, renewAtMs } = await found;
        if (now() < renewAtMs) return token;
        // Of several that see the old token, the first one renews it and the others take what it gets.
        if (kept.get(key) !== found) return this.get(request);
      }
      const made = fetchToken(send, request, now);
      kept.set(key, made);
      made.catch(() => {
        if (kept.get(key) === made) kept.delete(key);
      });
      return (await made).token;
    },
    forget(request, token) {
      const key = keyOf(request);
      const found = kept.get(key);
      found?.then(
        (known) => {
          if (known.token === token && kept.get(key) === found) kept.delete(key);
        },
        () => undefined,
      );
    },
  };
}

function keyOf({ challenge, scopes, credential }: TokenRequest): string {
  const { parameters } = challenge;
  return JSON.stringify([
    parameters.get('realm'),
    parameters.get('service'),
    [...scopes].sort(),
    credential?.user,
    credential?.source,
  ]);
}

async function fetchToken(send: Send, request: TokenRequest, now: () => number): Promise<Kept> {
  const realm = checkedRealm(request);
  const startedAt = now();
  const { credential } = request;
  let response: HttpResponse | undefined;
  if (credential?.identityToken !== undefined) {
    response = await send(oauthRequest(realm, request, credential.identityToken));
    // Servers without this endpoint still take the same secret as a password.
    if (response.status === 404 || response.status === 405) {
      discard(response);
      response = undefined;
    }
  }
  response ??= await send(plainRequest(realm, request));
  if (response.status !== 200) throw await tokenFailure(response, realm, request);
  return parseToken(await readStart(response, MAX_TOKEN_BYTES), realm, startedAt);
}

function plainRequest(realm: URL, { challenge, scopes, credential, signal }: TokenRequest): HttpRequest {
  const url = new URL(realm);
  const service = challenge.parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const headers: Record<string, string> =
    credential === undefined ? {} : { authorization: basicAuthorization(credential) };
  return { method: 'GET', url, headers, signal };
}

function oauthRequest(
  realm: URL,
  { challenge, scopes, signal }: TokenRequest,
  refreshToken: string,
): HttpRequest {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT_ID });
  form.set('service', challenge.parameters.get('service') ?? realm.host);
  form.set('scope', scopes.join(' '));
  form.set('refresh_token', refreshToken);
  const bytes = Buffer.from(form.toString());
  return {
    method: 'POST',
    url: realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: { sizeBytes: bytes.length, open: () => [bytes] },
    signal,
  };
}

/** The `Authorization` header of a user and a password. */
export function basicAuthorization({ user, password }: Credential): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** The realm, if a credential may be sent there: a registry could name any address as its token server. */
function checkedRealm({ registry, challenge }: TokenRequest): URL {
  const text = challenge.parameters.get('realm') ?? '';
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (realm === undefined || !/^https?:$/.test(realm.protocol)) {
    throw refusedRealm(registry, 'names no token server');
  }
  if (realm.protocol === 'http:' && registry.protocol === 'https:') {
    throw refusedRealm(registry, `names the token server ${realm.host}, which has no TLS`);
  }
  if (realm.hostname !== registry.hostname && isPrivate(realm.hostname) && !isPrivate(registry.hostname)) {
    throw refusedRealm(registry, `names ${realm.host}, an address of a private network, as its token server`);
  }
  return realm;
}

function isPrivate(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isLoopback(host)) return true;
  if (isIP(host) === 4) return /^(?:0|10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168)\./.test(host);
  return isIP(host) === 6 && /^(?:::|f[cd]|fe[89ab])/i.test(host);
}

function refusedRealm(registry: URL, why: string): RegistryError {
  return new RegistryError('UNAUTHORIZED', `Cannot log in to ${registry.host}: it ${why}`, {
    hint: 'No credential was sent. The registry is set up wrongly, or is not the one you mean.',
  });
}

async function tokenFailure(
  response: HttpResponse,
  realm: URL,
  { registry, credential, hint }: TokenRequest,
): Promise<RegistryError> {
  discard(response);
  const { status } = response;
  if (status === 401 || status === 403 || status === 400) {
    const said =
      credential === undefined
        ? 'it gives no token to someone without a credential'
        : `it does not accept the credential from ${credential.source}`;
    return new RegistryError('UNAUTHORIZED', `Cannot log in to ${registry.host}: ${said}`, { status, hint });
  }
  return new RegistryError(
    'UNEXPECTED_STATUS',
    `Cannot log in to ${registry.host}: its token server ${realm.host} answered ${status}`,
    { status },
  );
}

function parseToken(bytes: Buffer, realm: URL, startedAtMs: number): Kept {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    json = undefined;
  }
  const { token, access_token, expires_in } = (
    typeof json === 'object' && json !== null ? json : {}
  ) as Record<string, unknown>;
  const value = typeof token === 'string' && token !== '' ? token : access_token;
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw new RegistryError('UNAUTHORIZED', `Cannot log in: the token server ${realm.host} sent no token`);
  }
  const seconds = typeof expires_in === 'number' && expires_in > 0 ? expires_in : DEFAULT_SECONDS;
  return { token: value, renewAtMs: startedAtMs + seconds * 1000 * USABLE_SHARE };
}
