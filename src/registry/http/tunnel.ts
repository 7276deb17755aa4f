import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Proxy } from './proxy.ts';

/** Longest wait for a proxy to open a tunnel. */
const TIMEOUT_MS = 30_000;

/** Opens a connection with TLS to `target` through a proxy, by `CONNECT`. */
export async function tunnel(proxy: Proxy, target: URL, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = await openTunnel(proxy, `${target.hostname}:${target.port === '' ? '443' : target.port}`);
  return connect({ ...options, socket });
}

function openTunnel(proxy: Proxy, authority: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const request = (proxy.url.protocol === 'https:' ? https : http).request({
      protocol: proxy.url.protocol,
      hostname: proxy.url.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.url.port,
      method: 'CONNECT',
      path: authority,
      agent: false,
      timeout: TIMEOUT_MS,
      headers: {
        host: authority,
        ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
      },
    });
    request.on('connect', (response, socket: Socket) => {
      if (response.statusCode === 200) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new ProxyRefusal(proxy.url.host, response.statusCode ?? 0));
    });
    request.on('timeout', () => request.destroy(new ProxyRefusal(proxy.url.host, 504)));
    request.on('error', reject);
    request.end();
  });
}

class ProxyRefusal extends Error {
  readonly code = 'PROXY_REFUSED';

  constructor(host: string, status: number) {
    super(`the proxy ${host} answered ${status}`);
  }
}
