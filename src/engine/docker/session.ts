import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import grpc from '@grpc/grpc-js';
import type { Credentials } from '../../registry/credentials.ts';
import type { Docker } from './api.ts';
import { readProtobuf, writeProtobuf } from './protobuf.ts';

/** A connection on which BuildKit asks for secrets and credentials while it builds; neither is part of the build. */
export interface Session {
  readonly id: string;
  readonly close: () => void;
}

export interface SessionContent {
  /** Bytes by id. */
  readonly secrets: ReadonlyMap<string, Buffer>;
  readonly credentials: Credentials | undefined;
}

type Handler = (request: Buffer) => Promise<Buffer>;

const GET_SECRET = '/moby.buildkit.secrets.v1.Secrets/GetSecret';
const GET_CREDENTIALS = '/moby.filesync.v1.Auth/Credentials';
const CHECK_HEALTH = '/grpc.health.v1.Health/Check';

/**
 * Opens a session. The daemon is the client on it, over HTTP/2 that is not encrypted again.
 *
 * @see https://github.com/moby/buildkit/blob/master/session/secrets/secrets.proto
 * @see https://github.com/moby/buildkit/blob/master/session/auth/auth.proto
 */
export async function openSession(docker: Docker, content: SessionContent): Promise<Session> {
  const id = randomUUID();
  const socket = await dial(docker, id);
  const server = new grpc.Server();
  server.addService(serviceOf(GET_SECRET), { call: unary((request) => getSecret(request, content)) });
  server.addService(serviceOf(GET_CREDENTIALS), {
    call: unary((request) => getCredentials(request, content)),
  });
  server.addService(serviceOf(CHECK_HEALTH), { call: unary(() => Promise.resolve(SERVING)) });
  server.createConnectionInjector(grpc.ServerCredentials.createInsecure()).injectConnection(socket);
  return {
    id,
    close: () => {
      server.forceShutdown();
      socket.destroy();
    },
  };
}

function dial(docker: Docker, id: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = {
      method: 'POST',
      path: '/session',
      hijack: true,
      headers: {
        Upgrade: 'h2c',
        'X-Docker-Expose-Session-Uuid': id,
        'X-Docker-Expose-Session-Name': 'kmodlayer',
        'X-Docker-Expose-Session-Grpc-Method': [GET_SECRET, GET_CREDENTIALS, CHECK_HEALTH],
      },
      statusCodes: { 101: true, 200: true },
    };
    docker.modem.dial(request, (error, socket) => {
      if (error === null) resolve(socket);
      else reject(error);
    });
  });
}

/** `ServingStatus.SERVING` of grpc.health.v1. */
const SERVING = Buffer.from([0x08, 0x01]);

async function getSecret(request: Buffer, { secrets }: SessionContent): Promise<Buffer> {
  const secret = secrets.get(textOf(request, 1));
  if (secret === undefined) {
    throw Object.assign(new Error('there is no such secret'), { code: grpc.status.NOT_FOUND });
  }
  return Promise.resolve(writeProtobuf(1, secret));
}

async function getCredentials(request: Buffer, { credentials }: SessionContent): Promise<Buffer> {
  const host = textOf(request, 1);
  const name = host === 'registry-1.docker.io' ? 'docker.io' : host;
  const found = await credentials?.find(name, '');
  if (found === undefined) return Buffer.alloc(0);
  const [user, secret] =
    found.identityToken === undefined ? [found.user, found.password] : ['', found.identityToken];
  return Buffer.concat([writeProtobuf(1, Buffer.from(user)), writeProtobuf(2, Buffer.from(secret))]);
}

function textOf(message: Uint8Array, number: number): string {
  return Buffer.from(readProtobuf(message).find((one) => one.number === number)?.bytes ?? []).toString(
    'utf8',
  );
}

/** A service of one method, whose messages are bytes. */
function serviceOf(path: string): grpc.ServiceDefinition {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    call: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  };
}

function unary(handler: Handler): grpc.handleUnaryCall<Buffer, Buffer> {
  return (call, done) => {
    handler(call.request).then(
      (response) => {
        done(null, response);
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  };
}
