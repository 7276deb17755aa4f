import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** How a test registry lets people in. */
export interface TestAuth {
  readonly kind: 'basic' | 'bearer';
  readonly user: string;
  readonly password: string;
  /** Seconds that a token lives; 300 when absent. */
  readonly tokenSeconds?: number;
  /** Reading needs no credential, but still a token. */
  readonly isPublic?: boolean;
  /** A refresh token that POST accepts. */
  readonly identityToken?: string;
  /** Repositories that this user may not touch. */
  readonly forbidden?: readonly string[];
}

interface Token {
  readonly scopes: readonly string[];
  readonly expiresAt: number;
}

/** Says yes or no to requests, and hands out tokens. */
export class TestGate {
  readonly #auth: TestAuth;
  readonly #tokens = new Map<string, Token>();
  /** Scopes of each token that was asked for, in order. */
  readonly grants: string[][] = [];

  constructor(auth: TestAuth) {
    this.#auth = auth;
  }

  /** Forgets all tokens, as a server does that was restarted. */
  revokeAll(): void {
    this.#tokens.clear();
  }

  /** The challenge to answer with, or undefined when the request may pass. */
  challenge(request: IncomingMessage, host: string, scopes: readonly string[]): string | undefined {
    const header = request.headers.authorization ?? '';
    if (this.#auth.kind === 'basic') {
      return this.#isUser(header) ? undefined : 'Basic realm="test, registry"';
    }
    const token = this.#tokens.get(header.replace(/^Bearer /, ''));
    const isGood =
      token !== undefined &&
      token.expiresAt > Date.now() &&
      scopes.every((scope) => covers(token.scopes, scope));
    if (isGood) return undefined;
    return `Bearer realm="http://${host}/token",service="test",scope="${scopes.join(' ')}"`;
  }

  /** Answers GET and POST of the token endpoint. */
  token(request: IncomingMessage, body: string): { status: number; json: unknown } {
    const url = new URL(request.url ?? '', 'http://token');
    const form = new URLSearchParams(body);
    const isPost = request.method === 'POST';
    if (isPost && this.#auth.identityToken === undefined) return { status: 404, json: {} };
    const isKnown = isPost
      ? form.get('refresh_token') === this.#auth.identityToken
      : this.#isUser(request.headers.authorization ?? '');
    const isAnonymous = !isPost && request.headers.authorization === undefined;
    if (!isKnown && !(this.#auth.isPublic === true && isAnonymous)) {
      return { status: 401, json: { errors: [{ code: 'UNAUTHORIZED', message: 'who are you' }] } };
    }
    const asked = isPost ? (form.get('scope') ?? '').split(' ') : url.searchParams.getAll('scope');
    const scopes = asked
      .filter(
        (scope) => !(this.#auth.forbidden ?? []).some((name) => scope.startsWith(`repository:${name}:`)),
      )
      .map((scope) => (isKnown ? scope : scope.replace(/:[a-z,*]+$/, ':pull')));
    this.grants.push(asked);
    const token = randomBytes(12).toString('hex');
    const seconds = this.#auth.tokenSeconds ?? 300;
    this.#tokens.set(token, { scopes, expiresAt: Date.now() + seconds * 1000 });
    return {
      status: 200,
      json: isPost ? { access_token: token, expires_in: seconds } : { token, expires_in: seconds },
    };
  }

  #isUser(header: string): boolean {
    const { user, password } = this.#auth;
    return header === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  }
}

function covers(granted: readonly string[], wanted: string): boolean {
  const [, name, actions = ''] = /^repository:(.*):([^:]*)$/.exec(wanted) ?? [];
  return granted.some((scope) => {
    const [, grantedName, grantedActions = ''] = /^repository:(.*):([^:]*)$/.exec(scope) ?? [];
    return (
      grantedName === name && actions.split(',').every((action) => grantedActions.split(',').includes(action))
    );
  });
}
