import { describe, expect, it } from 'vitest';
import { failureOfApiBuild, failureOfApiPull } from '../../../src/engine/docker/failure.ts';

// What Docker 20.10, newer ones and podman's API said.
const SOLVE = 'failed to solve with frontend dockerfile.v0: failed to create LLB definition: ';
const BUILDS = [
  ['executor failed running [/bin/sh -c sh /x]: exit code: 2', 'COMPILE_FAILED', /exit status 2$/],
  [
    'process "/bin/sh -c make" did not complete successfully: exit code: 3',
    'COMPILE_FAILED',
    /exit status 3$/,
  ],
  ["The command '/bin/sh -c make' returned a non-zero code: 4", 'COMPILE_FAILED', /exit status 4$/],
  ['building at STEP "RUN make": while running runtime: exit status 5', 'COMPILE_FAILED', /exit status 5$/],
  ['failed to reach build target b in Dockerfile', 'COMPILE_FAILED', /"b" was not found/],
  [`${SOLVE}target stage b could not be found`, 'COMPILE_FAILED', /"b" was not found/],
  ['dockerfile parse error line 3: unknown instruction: BOGUS', 'COMPILE_FAILED', /BOGUS/],
  ['failed to compute cache key: "/nowhere" not found: not found', 'COMPILE_FAILED', /nowhere/],
  [
    'pull access denied for quay.example.com/a/b, repository does not exist or may require authorization: server message: unauthorized',
    'UNAUTHORIZED',
    /quay\.example\.com\/a\/b/,
  ],
  [
    'failed to resolve source metadata for quay.example.com/a/b:1: dial tcp: lookup quay.example.com: no such host',
    'UNREACHABLE',
    /quay/,
  ],
  ['write /x: no space left on device', 'ENGINE_FAILED', /no space/],
] as const;

describe('failureOfApiBuild()', () => {
  it.each(BUILDS)('reads %s as %s', (state, code, message) => {
    const failure = failureOfApiBuild(state, ['last line'], 'docker');

    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
  });
});

describe('failureOfApiPull()', () => {
  it.each([
    ['Get "https://h/v2/": unauthorized: authentication required', 'UNAUTHORIZED'],
    ['Get "https://h/v2/a/manifests/1": no basic auth credentials', 'UNAUTHORIZED'],
    ['manifest for h/a@sha256:0 not found: manifest unknown', 'NOT_FOUND'],
    ['Get "https://h/v2/": x509: certificate signed by unknown authority', 'UNREACHABLE'],
    ['connect ENOENT /run/docker.sock', 'ENGINE_FAILED'],
  ])('reads %s as %s', (state, code) => {
    expect(failureOfApiPull('h/a:1', state, 'docker').code).toBe(code);
  });
});
