import { describe, expect, it } from 'vitest';
import { isApiAddress, parseApiAddress } from '../../../src/engine/docker/address.ts';

describe('isApiAddress()', () => {
  it.each([
    ['docker', true],
    ['unix:///run/x', true],
    ['tcp://h:1', true],
    ['/run/podman/podman.sock', true],
    ['podman', false],
    ['/usr/bin/buildah', false],
  ])('of %s is %s', (text, expected) => {
    expect(isApiAddress(text)).toBe(expected);
  });
});

describe('parseApiAddress()', () => {
  it.each([
    ['docker', {}, { socketPath: '/var/run/docker.sock', protocol: 'http' }],
    ['docker', { DOCKER_HOST: 'unix:///run/user/1/d.sock' }, { socketPath: '/run/user/1/d.sock' }],
    ['docker', { DOCKER_HOST: 'tcp://build:2375' }, { host: 'build', port: 2375, protocol: 'http' }],
    ['/run/p.sock', { DOCKER_HOST: 'tcp://build:2375' }, { socketPath: '/run/p.sock', host: undefined }],
    ['tcp://build', {}, { host: 'build', port: 2375 }],
    ['tcp://build:2376', {}, { port: 2376, protocol: 'https' }],
    ['tcp://[::1]:99', { DOCKER_TLS_VERIFY: '1' }, { host: '::1', port: 99, protocol: 'https' }],
  ])('reads %s with %j', (text, env, connection) => {
    expect(parseApiAddress(text, env).connection).toMatchObject(connection);
  });

  it.each(['ssh://me@build', 'tcp://', 'tcp://a b', 'npipe:////./pipe/docker_engine', 'tcp://h:1/x'])(
    'refuses %s',
    (text) => {
      expect(() => parseApiAddress(text, {})).toThrow('not an address of an API');
    },
  );

  it('says which certificates are missing', () => {
    const env = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/nowhere' };

    expect(() => parseApiAddress('tcp://h', env)).toThrow('Cannot read the certificates in /nowhere');
  });
});
