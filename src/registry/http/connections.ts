import * as http from 'node:http';
import * as https from 'node:https';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { ConnectionError } from './connection-error.ts';
import type { HttpRequest } from './message.ts';
import { proxyFor, type ProxyEnvironment } from './proxy.ts';
import { tunnel } from './tunnel.ts';

/** Opens connections, keeps them, and knows which way a host is reached. */
export interface Connections {
  /** A request whose headers are set and whose body is still to be written. */
  begin(request: HttpRequest): Promise<http.ClientRequest>;
  /** Closes what lies idle. */
  close(): void;
}

export interface ConnectionsOptions {
  /** Most connections to one host at once, for each of the two kinds. */
  readonly maxConnections: number;
  /** Proxies are read from here. */
  readonly env: ProxyEnvironment;
  /** What is trusted to speak for a host; undefined: what Node trusts. */
  readonly secureContextOf: (host: string) => Promise<SecureContext | undefined>;
  /** Hosts whose certificate is not checked, because the user said so. */
  readonly isInsecure: (host: string) => boolean;
}

/**
 * Downloads have connections of their own: a blob that is copied within one registry holds a download open while it
 * waits for an upload, and with one pool for both they could wait for each other for ever.
 */
type Kind = 'download' | 'exchange';

/** Makes the pools of connections; nothing is opened before it is needed. */
export function makeConnections(options: ConnectionsOptions): Connections {
  const pools = new Map<string, Promise<http.Agent>>();
  const poolOf = (url: URL, kind: Kind): Promise<http.Agent> => {
    const key = `${kind} ${url.protocol}//${url.host}`;
    const found = pools.get(key);
    if (found !== undefined) return found;
    const made = makePool(url, options);
    pools.set(key, made);
    return made;
  };

  return {
    async begin(request) {
      const { url, signal } = request;
      signal?.throwIfAborted();
      const agent = await poolOf(url, request.isDownload === true ? 'download' : 'exchange');
      const proxy = url.protocol === 'http:' ? proxyFor(url, options.env) : undefined;
      const headers: Record<string, string | number> = { ...request.headers, host: url.host };
      if (request.body !== undefined) headers['content-length'] = request.body.sizeBytes;
      else if (request.method !== 'GET' && request.method !== 'HEAD') headers['content-length'] = 0;
      if (proxy?.authorization !== undefined) headers['proxy-authorization'] = proxy.authorization;
      const target = proxy?.url ?? url;
      return (target.protocol === 'https:' ? https : http).request({
        protocol: target.protocol,
        hostname: target.hostname.replace(/^\[|\]$/g, ''),
        port: target.port,
        // A proxy gets the whole URL, a server its path.
        path:
          proxy === undefined ? `${url.pathname}${url.search}` : `${url.origin}${url.pathname}${url.search}`,
        method: request.method,
        headers,
        agent,
        ...(signal === undefined ? {} : { signal }),
      });
    },
    close() {
      for (const pool of pools.values()) {
        pool.then(
          (agent) => {
            agent.destroy();
          },
          () => undefined,
        );
      }
    },
  };
}

async function makePool(url: URL, options: ConnectionsOptions): Promise<http.Agent> {
  const settings = {
    keepAlive: true,
    maxSockets: options.maxConnections,
    maxFreeSockets: options.maxConnections,
  };
  const proxy = proxyFor(url, options.env);
  if (url.protocol === 'http:') {
    return proxy?.url.protocol === 'https:' ? new https.Agent(settings) : new http.Agent(settings);
  }
  const secureContext = await options.secureContextOf(url.host);
  const agent = new https.Agent({
    ...settings,
    rejectUnauthorized: !options.isInsecure(url.host),
    ...(secureContext === undefined ? {} : { secureContext }),
  });
  if (proxy !== undefined) {
    agent.createConnection = (tlsOptions, callback) => {
      tunnel(proxy, url, tlsOptions as ConnectionOptions).then(
        (socket) => callback?.(null, socket),
        (error: unknown) => {
          const failure = error instanceof Error ? error : new ConnectionError(error);
          // The declared type wants a socket even where there is an error.
          (callback as ((error: Error) => void) | undefined)?.(failure);
        },
      );
      return undefined;
    };
  }
  return agent;
}
