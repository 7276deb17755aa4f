import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompileError, SpecError } from '../../errors.ts';

/** How an API is reached, as dockerode takes it. */
export interface ApiAddress {
  /** As users write it, for messages. */
  readonly name: string;
  readonly connection: Readonly<{
    socketPath: string | undefined;
    host: string | undefined;
    port: number | undefined;
    protocol: 'http' | 'https';
    ca?: Buffer;
    cert?: Buffer;
    key?: Buffer;
  }>;
}

type Env = Readonly<Record<string, string | undefined>>;

const DEFAULT_SOCKET = '/var/run/docker.sock';

/** Says whether what a user gave as the engine is the address of an API, and not a program. */
export function isApiAddress(text: string): boolean {
  return text === 'docker' || /^[a-z][a-z0-9+.-]*:\/\//.test(text) || text.endsWith('.sock');
}

/**
 * Reads the address of a Docker API: `unix://PATH`, a path that ends in `.sock`, `tcp://HOST:PORT`, or `docker`, which
 * is `DOCKER_HOST`, else the usual socket. TLS is spoken with `DOCKER_TLS_VERIFY`, on `https://` and on port 2376, with
 * the certificates in `DOCKER_CERT_PATH`.
 *
 * @throws {SpecError} `USAGE`; {CompileError} `ENGINE_FAILED` when certificates cannot be read.
 */
export function parseApiAddress(text: string, env: Env): ApiAddress {
  const named = text === 'docker' ? (env['DOCKER_HOST'] ?? '') : text;
  const address = named === '' ? `unix://${DEFAULT_SOCKET}` : named;
  if (address.startsWith('/')) return socketAddress(address);
  if (address.startsWith('unix://')) return socketAddress(address.slice('unix://'.length) || DEFAULT_SOCKET);
  const [, scheme = '', host = '', port] =
    /^(tcp|https?):\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::([0-9]{1,5}))?\/?$/.exec(address) ?? [];
  if (host === '') {
    throw new SpecError(
      'USAGE',
      `Cannot use the engine ${JSON.stringify(address.slice(0, 200))}: not an address of an API`,
      {
        hint: 'Write unix:///PATH or tcp://HOST:PORT; tunnel a socket over ssh with "ssh -L /tmp/docker.sock:/var/run/docker.sock HOST".',
      },
    );
  }
  const isTls = scheme === 'https' || (env['DOCKER_TLS_VERIFY'] ?? '') !== '' || port === '2376';
  return {
    name: address,
    connection: {
      socketPath: undefined,
      host: host.replace(/^\[|\]$/g, ''),
      port: Number(port ?? (isTls ? 2376 : 2375)),
      protocol: isTls ? 'https' : 'http',
      ...(isTls ? readCertificates(env) : {}),
    },
  };
}

function socketAddress(path: string): ApiAddress {
  return {
    name: `unix://${path}`,
    connection: { socketPath: path, host: undefined, port: undefined, protocol: 'http' },
  };
}

function readCertificates(env: Env): { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } {
  const directory = env['DOCKER_CERT_PATH'] ?? '';
  if (directory === '') return {};
  try {
    const read = (name: string): Buffer => readFileSync(join(directory, name));
    return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
  } catch (error) {
    throw new CompileError('ENGINE_FAILED', `Cannot read the certificates in ${directory}`, {
      cause: error,
      hint: 'DOCKER_CERT_PATH names a directory with ca.pem, cert.pem and key.pem.',
    });
  }
}
