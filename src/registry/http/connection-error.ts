import { RegistryError } from '../../errors.ts';

/** A request that got no answer, or an answer that broke off. Becomes `UNREACHABLE` when it is not tried again. */
export class ConnectionError extends Error {
  /** Node's code, for instance `ECONNRESET`; empty when there is none. */
  readonly code: string;
  /** The server had closed a connection that was kept open: a new one will do. */
  readonly isStale: boolean;

  constructor(cause: unknown, isStale = false) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.code = codeOf(cause);
    this.isStale = isStale;
  }

  /** Says whether to try again could help. */
  get isTransient(): boolean {
    return !isCertificateProblem(this.code) && !isTlsProblem(this.code) && !FINAL.has(this.code);
  }
}

/** Names that do not exist, programs that are misused: the same again. */
const FINAL = new Set(['ENOTFOUND', 'ERR_INVALID_URL', 'EACCES', 'PROXY_REFUSED', 'ERR_SOCKET_BAD_PORT']);

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'it did not answer in time',
  ENOTFOUND: 'its name cannot be resolved',
  EAI_AGAIN: 'its name cannot be resolved now',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
};

/** What happened, in a few words, for messages and events. */
export function describeConnectionError(error: ConnectionError): string {
  if (isTlsProblem(error.code)) return 'it does not speak TLS there';
  const known = WORDS[error.code];
  if (known !== undefined) return `${known} (${error.code})`;
  if (isCertificateProblem(error.code)) return `its certificate is not trusted (${error.code})`;
  return error.message.slice(0, 200);
}

/**
 * The error that a user sees when a registry cannot be reached.
 *
 * @param doing What was tried, for instance `read manifest v1 of quay.io/acme/driver`.
 */
export function unreachable(error: ConnectionError, doing: string, host: string): RegistryError {
  return new RegistryError('UNREACHABLE', `Cannot ${doing}: ${describeConnectionError(error)}`, {
    cause: error.cause,
    hint: hintFor(error.code, host),
  });
}

function hintFor(code: string, host: string): string {
  if (isTlsProblem(code)) {
    return `If ${host} is meant to speak plain HTTP, allow it with --insecure-registry ${host}.`;
  }
  if (isCertificateProblem(code)) {
    return `Give the CA of ${host} with --ca-file or --cert-dir, or as /etc/containers/certs.d/${host}/ca.crt.`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return 'Check the spelling of the host; behind a proxy, set HTTPS_PROXY and NO_PROXY.';
  }
  return `Check that ${host} is up and can be reached from here; behind a proxy, set HTTPS_PROXY and NO_PROXY.`;
}

function isTlsProblem(code: string): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_');
}

function isCertificateProblem(code: string): boolean {
  return /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|INVALID_CA|HOSTNAME_MISMATCH)/.test(
    code,
  );
}

function codeOf(cause: unknown): string {
  // A host with several addresses fails with all their errors in one.
  const [error] = cause instanceof AggregateError ? (cause.errors as unknown[]) : [cause];
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
