import type { Credential } from '../credential.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { discard, type HttpRequest, type HttpResponse, isSameOrigin, type Send } from './message.ts';
import { basicAuthorization, type TokenRequest, type Tokens } from './tokens.ts';

export interface AuthOptions {
  /** The registry's origin: requests to any other one pass without a credential. */
  readonly registry: URL;
  readonly tokens: Tokens;
  /** Looked for when the registry asks for one, not before. */
  readonly findCredential: () => Promise<Credential | undefined>;
  /** What registries asked for, by origin; shared, so that only the first request is turned away. */
  readonly challenges: Map<string, Challenge>;
  /** Where a credential comes from, for messages. */
  readonly hint: string;
}

/**
 * Logs in when the registry asks for it: Basic with the credential, Bearer with a token for the request's scopes. A
 * request that is turned away is repeated once, with a fresh token for what the registry says is missing.
 */
export function withAuth(next: Send, options: AuthOptions): Send {
  const { registry, challenges } = options;
  return async (request) => {
    if (request.scopes === undefined || !isSameOrigin(request.url, registry)) return next(request);
    const known = challenges.get(registry.origin);
    const first = known === undefined ? undefined : await authorize(request, known, request.scopes, options);
    const response = await next(first?.request ?? request);
    if (response.status !== 401) return response;

    // At once: while its body waits, the answer holds a connection that the request for a token may need.
    discard(response);
    const challenge = chooseChallenge(response);
    if (challenge === undefined) return response;
    challenges.set(registry.origin, challenge);
    if (first?.token !== undefined) options.tokens.forget(first.token.request, first.token.value);
    const scopes = withMissing(request.scopes, challenge.parameters.get('scope'));
    const second = await authorize(request, challenge, scopes, options);
    const isSame = second.request.headers['authorization'] === first?.request.headers['authorization'];
    return isSame ? response : next(second.request);
  };
}

interface Authorized {
  readonly request: HttpRequest;
  readonly token?: { readonly request: TokenRequest; readonly value: string };
}

async function authorize(
  request: HttpRequest,
  challenge: Challenge,
  scopes: readonly string[],
  { registry, tokens, findCredential, hint }: AuthOptions,
): Promise<Authorized> {
  const credential = await findCredential();
  if (challenge.scheme === 'basic') {
    return {
      request: credential === undefined ? request : withHeader(request, basicAuthorization(credential)),
    };
  }
  const tokenRequest = { registry, challenge, scopes, credential, signal: request.signal, hint };
  const value = await tokens.get(tokenRequest);
  return { request: withHeader(request, `Bearer ${value}`), token: { request: tokenRequest, value } };
}

function withHeader(request: HttpRequest, authorization: string): HttpRequest {
  return { ...request, headers: { ...request.headers, authorization } };
}

/** The challenge that we can answer, Bearer before Basic. */
function chooseChallenge(response: HttpResponse): Challenge | undefined {
  const all = parseChallenges(response.header('www-authenticate') ?? '');
  return (
    all.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm')) ??
    all.find(({ scheme }) => scheme === 'basic')
  );
}

/** The scopes of a request and those that the registry asked for; some servers read only the first, so that leads. */
function withMissing(scopes: readonly string[], asked: string | undefined): readonly string[] {
  const missing = (asked ?? '').split(/\s+/).filter((scope) => scope !== '' && !isCovered(scope, scopes));
  return [...missing, ...scopes];
}

function isCovered(scope: string, by: readonly string[]): boolean {
  const at = scope.lastIndexOf(':');
  const name = scope.slice(0, at + 1);
  const actions = scope.slice(at + 1).split(',');
  return by.some((other) => {
    const has = other.startsWith(name) ? other.slice(name.length).split(',') : [];
    return actions.every((action) => has.includes(action));
  });
}
