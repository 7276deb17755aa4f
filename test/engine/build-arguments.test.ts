import { describe, expect, it } from 'vitest';
import type { Build, EngineOptions } from '../../src/engine/engine.ts';
import {
  makeBuildArguments,
  makePullArguments,
  makeStorageArguments,
} from '../../src/engine/build-arguments.ts';
import { PODMAN } from '../../src/engine/podman.ts';

const OPTIONS: EngineOptions = {
  program: 'podman',
  globalArguments: ['--runtime', 'runc'],
  buildArguments: ['--network', 'host'],
};
const PATHS = {
  root: '/s/root',
  runRoot: '/s/run',
  libpod: '/s/libpod',
  assets: '/s/assets',
  containerfile: '/s/Containerfile',
  ignoreFile: '/s/ignore',
  context: '/src',
  secrets: ['/s/secret-0'],
};
const BUILD: Build = {
  containerfile: '',
  args: { A: 'x y' },
  secrets: [{ id: 'key', file: '/home/me/a,b.pem' }],
  stage: 'out',
};

describe('makeBuildArguments()', () => {
  it('puts options of the host first and the context last', () => {
    const args = makeBuildArguments(OPTIONS, BUILD, 'aarch64', PATHS);

    expect(args.slice(0, 2)).toEqual(['--network', 'host']);
    expect(args.at(-1)).toBe('/src');
    expect(args).toContain('--platform=linux/arm64');
    expect(args).toContain('--build-arg=A=x y');
    expect(args).toContain('--target=out');
  });

  it('names a secret by a path without a comma', () => {
    expect(makeBuildArguments(OPTIONS, BUILD, 'x86_64', PATHS)).toContain('--secret=id=key,src=/s/secret-0');
  });

  it.each(['a=b', '--x', '', 'A B', 'A\n'])('refuses build argument %j', (name) => {
    const build = { ...BUILD, args: { [name]: '1' } };

    expect(() => makeBuildArguments(OPTIONS, build, 'x86_64', PATHS)).toThrow('not a name');
  });

  it.each(['a,src=/etc/shadow', '../x', '', '-x'])('refuses secret id %j', (id) => {
    const build = { ...BUILD, secrets: [{ id, file: '/f' }] };

    expect(() => makeBuildArguments(OPTIONS, build, 'x86_64', PATHS)).toThrow('not a name');
  });
});

describe('makePullArguments()', () => {
  it('passes credentials by file and ends options before the image', () => {
    const options = { ...OPTIONS, authFile: '/a.json', certificateDirectory: '/certs', isInsecure: true };

    const args = makePullArguments(options, '--image', 'x86_64');

    expect(args).toEqual([
      'pull',
      '--quiet',
      '--authfile=/a.json',
      '--cert-dir=/certs',
      '--tls-verify=false',
      '--platform=linux/amd64',
      '--',
      '--image',
    ]);
  });
});

describe('makeStorageArguments()', () => {
  it('reads the images of the user in place and writes elsewhere', () => {
    const storage = {
      driver: 'overlay',
      root: '/var/lib/containers/storage',
      options: ['overlay.mountopt=nodev'],
      isRootless: false,
      runtime: 'crun',
    };

    const args = makeStorageArguments({ options: OPTIONS, program: PODMAN, storage }, PATHS).join(' ');

    expect(args).toBe(
      '--runtime runc --root /s/root --runroot /s/run --tmpdir /s/libpod --storage-driver overlay' +
        ' --storage-opt overlay.mountopt=nodev --storage-opt overlay.imagestore=/var/lib/containers/storage',
    );
  });
});
