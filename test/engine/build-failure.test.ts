import { describe, expect, it } from 'vitest';
import { failureOfBuild, failureOfPull } from '../../src/engine/build-failure.ts';

// What podman 4.3 printed.
const SOURCE = 'Error: initializing source docker://quay.example.com/a/b:c:';
const PULL_OUTPUTS = [
  [
    `${SOURCE} reading manifest c in quay.example.com/a/b: unauthorized: authentication required`,
    'UNAUTHORIZED',
  ],
  [`${SOURCE} reading manifest c in quay.example.com/a/b: denied: access forbidden`, 'FORBIDDEN'],
  [`${SOURCE} reading manifest c in quay.example.com/a/b: manifest unknown: manifest unknown`, 'NOT_FOUND'],
  [
    `${SOURCE} pinging container registry quay.example.com: Get "https://quay.example.com/v2/": dial tcp: lookup quay.example.com: no such host`,
    'UNREACHABLE',
  ],
  [
    `${SOURCE} pinging container registry quay.example.com: Get "https://quay.example.com/v2/": http: server gave HTTP response to HTTPS client`,
    'UNREACHABLE',
  ],
  [
    'Error: initializing source oci:/nowhere:: open /nowhere/index.json: no such file or directory',
    'NOT_FOUND',
  ],
  ['Error: stat /nowhere: no such file or directory', 'ENGINE_FAILED'],
] as const;

const BUILD_OUTPUTS = [
  [
    [
      'make: *** [Makefile:3: all] Error 2',
      'Error: building at STEP "RUN make": while running runtime: exit status 2',
    ],
    'COMPILE_FAILED',
  ],
  [['Error: building at STEP "BOGUS ": Build error: Unknown instruction: "BOGUS"'], 'COMPILE_FAILED'],
  [['Error: The target "nope" was not found in the provided Dockerfile'], 'COMPILE_FAILED'],
  [
    [
      'Error: building at STEP "COPY a /": checking on sources: copier: stat: "/a": no such file or directory',
    ],
    'COMPILE_FAILED',
  ],
  [
    [
      `Error: creating build container: ${SOURCE.slice(7)} reading manifest c in quay.example.com/a/b: unauthorized: authentication required`,
    ],
    'UNAUTHORIZED',
  ],
  [
    [
      'process failed to start with error: fork/exec /f: exec format error',
      'Error: building at STEP "RUN /f": exit status 1',
    ],
    'ENGINE_FAILED',
  ],
  [
    [
      'error running container: from /usr/bin/crun creating container for [/bin/sh]: cgroups in hybrid mode not supported',
      'Error: building at STEP "RUN x": while running runtime: exit status 1',
    ],
    'ENGINE_FAILED',
  ],
  [['Error: building at STEP "RUN x": write /x: no space left on device'], 'ENGINE_FAILED'],
  [['goroutine 1 [running]:', 'created by main'], 'ENGINE_FAILED'],
  [[], 'ENGINE_FAILED'],
] as const;

describe('failureOfPull()', () => {
  it.each(PULL_OUTPUTS)('reads %s as %s', (line, code) => {
    const failure = failureOfPull('quay.example.com/a/b:c', ['trying', line]);

    expect(failure.code).toBe(code);
  });

  it('says where a pull secret is to be had', () => {
    const failure = failureOfPull('quay.example.com/a/b:c', [PULL_OUTPUTS[0][0]]);

    expect(failure.message).toContain('quay.example.com/a/b:c');
    expect(failure.hint).toContain('pull secret');
  });
});

describe('failureOfBuild()', () => {
  it.each(BUILD_OUTPUTS)('reads %j as %s', (lines, code) => {
    expect(failureOfBuild(lines).code).toBe(code);
  });

  it('carries the last 40 lines', () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);

    const failure = failureOfBuild([...lines, 'Error: building at STEP "RUN make": exit status 2']);

    expect(failure).toMatchObject({ code: 'COMPILE_FAILED' });
    expect(Reflect.get(failure, 'logTail')).toHaveLength(40);
  });

  it('never repeats a password that stands in a URL', () => {
    const failure = failureOfBuild([
      'Error: building at STEP "RUN git clone https://me:token@example.com": exit status 1',
    ]);

    expect(JSON.stringify([failure, failure.message])).not.toContain('token');
  });
});
