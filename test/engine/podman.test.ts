import { describe, expect, it } from 'vitest';
import { parsePodmanInfo } from '../../src/engine/podman.ts';

describe('parsePodmanInfo()', () => {
  const info = (store: object, host: object = {}): string =>
    JSON.stringify({
      host,
      store: { graphRoot: '/r', graphDriverName: 'overlay', ...store },
      version: { Version: '4.3.1' },
    });

  it('reads the storage with its options in both forms', () => {
    const text = info(
      {
        graphOptions: {
          'overlay.mountopt': 'nodev',
          'overlay.mount_program': { Executable: '/usr/bin/fuse-overlayfs' },
        },
      },
      { security: { rootless: true }, ociRuntime: { path: '/usr/bin/runc' } },
    );

    expect(parsePodmanInfo(text)).toEqual({
      version: '4.3.1',
      storage: {
        driver: 'overlay',
        root: '/r',
        options: ['overlay.mountopt=nodev', 'overlay.mount_program=/usr/bin/fuse-overlayfs'],
        isRootless: true,
        runtime: '/usr/bin/runc',
      },
    });
  });

  it('refuses a podman that works on another machine', () => {
    expect(() => parsePodmanInfo(info({}, { serviceIsRemote: true }))).toThrow('another machine');
  });

  it.each(['', '[]', '{"store":{}}', 'null'])('refuses %j', (text) => {
    expect(() => parsePodmanInfo(text)).toThrow('Cannot read what "podman info" prints');
  });
});
