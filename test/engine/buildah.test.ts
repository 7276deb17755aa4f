import { describe, expect, it } from 'vitest';
import { parseBuildahInfo } from '../../src/engine/buildah.ts';

const VERSION = '{"version":"1.28.2"}';

describe('parseBuildahInfo()', () => {
  it('reads version and storage', () => {
    const info = {
      host: { rootless: true, OCIRuntime: 'runc' },
      store: { GraphDriverName: 'overlay', GraphRoot: '/r', GraphOptions: ['overlay.mountopt=nodev', 7] },
    };

    expect(parseBuildahInfo(JSON.stringify(info), VERSION)).toEqual({
      version: '1.28.2',
      storage: {
        driver: 'overlay',
        root: '/r',
        options: ['overlay.mountopt=nodev'],
        isRootless: true,
        runtime: 'runc',
      },
    });
  });

  it('takes no options for none', () => {
    const info = '{"store":{"GraphDriverName":"vfs","GraphRoot":"/r","GraphOptions":null}}';

    expect(parseBuildahInfo(info, VERSION).storage).toMatchObject({
      options: [],
      isRootless: false,
      runtime: 'crun',
    });
  });

  it.each([
    ['', VERSION],
    ['{}', VERSION],
    ['null', 'null'],
    ['{"store":{"GraphDriverName":"vfs","GraphRoot":"/r"}}', '[]'],
  ])('refuses %j and %j', (info, version) => {
    expect(() => parseBuildahInfo(info, version)).toThrow('Cannot read what "buildah');
  });
});
