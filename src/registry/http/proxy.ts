import { BlockList, isIP } from 'node:net';

/** The variables that name proxies; others are ignored. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** A proxy, with its credential apart so that the URL can be shown. */
export interface Proxy {
  readonly url: URL;
  readonly authorization: string | undefined;
}

/**
 * The proxy to take for a URL, or undefined for none: `HTTPS_PROXY` or `HTTP_PROXY` by the URL's scheme, unless
 * `NO_PROXY` covers the host. Names in capitals go first, as in Go's tools. The machine itself is never behind a proxy.
 *
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy
 */
export function proxyFor(url: URL, env: ProxyEnvironment): Proxy | undefined {
  const value = url.protocol === 'https:' ? read(env, 'HTTPS_PROXY') : read(env, 'HTTP_PROXY');
  if (value === undefined || isLoopback(url.hostname) || isExcluded(url, read(env, 'NO_PROXY') ?? '')) {
    return undefined;
  }
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(text)) return undefined;
  const proxy = new URL(text);
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') return undefined;
  const user = decode(proxy.username);
  const password = decode(proxy.password);
  proxy.username = '';
  proxy.password = '';
  return {
    url: proxy,
    authorization: user === '' ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  };
}

function read(env: ProxyEnvironment, name: string): string | undefined {
  const value = env[name] ?? env[name.toLowerCase()];
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

function isExcluded(url: URL, list: string): boolean {
  const host = bare(url.hostname);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || covers(entry.toLowerCase(), host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  const { name, port: wantedPort } = splitPort(entry);
  if (wantedPort !== undefined && wantedPort !== port) return false;
  if (name.includes('/')) return isInNetwork(name, host);
  if (isIP(name) !== 0) return name === host;
  // A leading dot, or "*.", covers only what is below the name; a plain name covers itself, too.
  const domain = name.replace(/^\*?\./, '');
  return host.endsWith(`.${domain}`) || (domain === name && host === name);
}

function splitPort(entry: string): { name: string; port: string | undefined } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<plain>[^:]+))(?::(?<port>\d+))?$/.exec(entry);
  const name = match?.groups?.['v6'] ?? match?.groups?.['plain'];
  return name === undefined ? { name: entry, port: undefined } : { name, port: match?.groups?.['port'] };
}

function isInNetwork(network: string, host: string): boolean {
  const [address = '', prefix = ''] = network.split('/');
  const family = isIP(address);
  const bits = Number(prefix);
  if (
    family === 0 ||
    isIP(host) !== family ||
    !/^\d{1,3}$/.test(prefix) ||
    bits > (family === 4 ? 32 : 128)
  ) {
    return false;
  }
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** Says whether a host name or address is this machine. */
export function isLoopback(hostname: string): boolean {
  const host = bare(hostname);
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function bare(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[|\]$/g, '');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
