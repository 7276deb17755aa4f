import { setMaxListeners } from 'node:events';
import type { Report } from '../../events.ts';
import type { Credentials } from '../credentials.ts';
import { secureContextFor, type TrustOptions } from './certificates.ts';
import type { Challenge } from './challenge.ts';
import { ConnectionError } from './connection-error.ts';
import { makeConnections } from './connections.ts';
import { discard, type Send } from './message.ts';
import { DEFAULT_RETRY, type RetryPolicy, type Sleep, withRetry } from './retry.ts';
import { makeTokens, type Tokens } from './tokens.ts';
import { makeTransport } from './transport.ts';

export interface NetworkOptions extends TrustOptions {
  readonly credentials: Credentials;
  /** Hosts, as references name them, that may be reached without TLS or with a certificate that nobody vouches for. */
  readonly insecureHosts: ReadonlySet<string>;
  readonly maxConnections: number;
  readonly report: Report;
  readonly sleep?: Sleep | undefined;
  readonly signal: AbortSignal | undefined;
  readonly chunkBytes: number | undefined;
}

/** What all repositories of one run share: connections, tokens, and what was learnt about hosts. */
export interface Network {
  readonly transport: Send;
  readonly tokens: Tokens;
  readonly challenges: Map<string, Challenge>;
  readonly credentials: Credentials;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal | undefined;
  readonly chunkBytes: number | undefined;
  /** Where a host's registry is: over TLS, or over plain HTTP for an insecure host that has no TLS. */
  baseUrl(host: string): Promise<URL>;
}

/** Makes what repositories over HTTP share. Nothing is opened or read before it is needed. */
export function makeNetwork(options: NetworkOptions): Network {
  const { insecureHosts, report, signal } = options;
  // Each request in flight listens to it, and there are more of them than Node takes for sane.
  if (signal !== undefined) setMaxListeners(0, signal);
  const retry: RetryPolicy = {
    ...DEFAULT_RETRY,
    ...(options.sleep === undefined ? {} : { sleep: options.sleep }),
    report,
  };
  const transport = makeTransport(
    makeConnections({
      maxConnections: options.maxConnections,
      env: options.env,
      secureContextOf: (host) => secureContextFor(host, options),
      isInsecure: (host) => insecureHosts.has(host),
    }),
  );
  const bases = new Map<string, Promise<URL>>();

  return {
    transport,
    tokens: makeTokens(withRetry(transport, retry)),
    challenges: new Map(),
    credentials: options.credentials,
    retry,
    signal,
    chunkBytes: options.chunkBytes,
    baseUrl(host) {
      const found = bases.get(host);
      if (found !== undefined) return found;
      const address = addressOf(host);
      const made = insecureHosts.has(host)
        ? insecureBase(transport, address, signal)
        : Promise.resolve(new URL(`https://${address}/`));
      bases.set(host, made);
      made.catch(() => bases.delete(host));
      return made;
    },
  };
}

/** Docker Hub answers under another name than the one it is known by. */
function addressOf(host: string): string {
  return host === 'docker.io' || host === 'index.docker.io' ? 'registry-1.docker.io' : host;
}

async function insecureBase(transport: Send, address: string, signal: AbortSignal | undefined): Promise<URL> {
  const https = new URL(`https://${address}/`);
  try {
    discard(await transport({ method: 'GET', url: new URL('/v2/', https), headers: {}, signal }));
    return https;
  } catch (error) {
    if (error instanceof ConnectionError) return new URL(`http://${address}/`);
    throw error;
  }
}
