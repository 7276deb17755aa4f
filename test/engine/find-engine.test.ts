import { describe, expect, it } from 'vitest';
import { findEngine, readEngineOptions } from '../../src/engine/find-engine.ts';

const { signal } = new AbortController();

describe('findEngine()', () => {
  it('says how to install podman when it is missing', async () => {
    const options = { ...readEngineOptions({}), program: '/nowhere/podman' };

    await expect(findEngine(options, signal)).rejects.toMatchObject({
      code: 'ENGINE_MISSING',
      hint: expect.stringContaining('install podman') as string,
    });
  });

  it('refuses an engine that it does not know', async () => {
    const options = { ...readEngineOptions({}), program: 'rkt' };

    await expect(findEngine(options, signal)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('reports an engine that does not work', async () => {
    const options = { ...readEngineOptions({}), program: 'podman-false', globalArguments: [] };
    const { mkdtemp, rm, symlink } = await import('node:fs/promises');
    const directory = await mkdtemp('/tmp/kmodlayer-test-');
    await symlink('/bin/false', `${directory}/podman-false`);

    const finding = findEngine({ ...options, program: `${directory}/podman-false` }, signal);

    await expect(finding).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    await rm(directory, { recursive: true });
  });
});

describe('readEngineOptions()', () => {
  it('leaves it to be found when nothing is set', () => {
    expect(readEngineOptions({})).toEqual({ globalArguments: [], buildArguments: [], env: {} });
  });

  it('parts words at blanks', () => {
    const options = readEngineOptions({
      KMODLAYER_ENGINE: '/opt/podman',
      KMODLAYER_ENGINE_ARGS: ' --runtime  runc ',
      KMODLAYER_BUILD_ARGS: '--isolation chroot',
    });

    expect(options).toMatchObject({
      program: '/opt/podman',
      globalArguments: ['--runtime', 'runc'],
      buildArguments: ['--isolation', 'chroot'],
    });
  });
});
