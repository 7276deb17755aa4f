import { describe, expect, it } from 'vitest';
import { modulePath, type PlacedDriver, type PlacedModule, placeDriver } from '../../src/layer/place.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';

const kernel = parseKernelRelease('5.14.0-427.el9_4.x86_64+rt');

function module(more: Partial<PlacedModule> = {}): PlacedModule {
  return {
    name: 'ice',
    fileName: 'ice.ko',
    bytes: Buffer.from('module'),
    autoload: false,
    replaces: [],
    parameters: {},
    ...more,
  };
}

function place(more: Partial<PlacedDriver>): Record<string, string> {
  const files = placeDriver({ name: 'intel-ice', modules: [], softdeps: [], firmware: [], ...more }, kernel);
  return Object.fromEntries(files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()]));
}

describe('placeDriver()', () => {
  it('puts modules into a directory of the driver, and nothing else when nothing else is asked for', () => {
    expect(place({ modules: [module()] })).toEqual({
      'usr/lib/modules/5.14.0-427.el9_4.x86_64+rt/extra/intel-ice/ice.ko': 'module',
    });
    expect(modulePath('intel-ice', 'ice.ko')).toBe('extra/intel-ice/ice.ko');
  });

  it('loads the modules that are to be loaded at boot', () => {
    const files = place({
      modules: [
        module({ autoload: true }),
        module({ name: 'gnss' }),
        module({ name: 'irdma', autoload: true }),
      ],
    });

    expect(files['usr/lib/modules-load.d/kmodlayer-intel-ice.conf']).toBe('ice\nirdma\n');
  });

  it('writes parameters, soft dependencies and what must not be loaded for modprobe', () => {
    const files = place({
      modules: [
        module({ parameters: { debug: '0', mode: 'a b', empty: '' }, replaces: ['ice', 'iavf'] }),
        module({ name: 'gnss', parameters: {} }),
      ],
      softdeps: [
        { module: 'ice', pre: ['gnss', 'ptp'], post: ['irdma'] },
        { module: 'gnss', pre: [], post: ['ice'] },
      ],
    });

    expect(files['usr/lib/modprobe.d/kmodlayer-intel-ice.conf']).toBe(
      [
        'options ice debug=0 mode="a b" empty=',
        'softdep ice pre: gnss ptp post: irdma',
        'softdep gnss post: ice',
        'blacklist iavf',
        '',
      ].join('\n'),
    );
  });

  it('lets a module that takes the place of an in-tree one win, by its file name', () => {
    const files = place({
      modules: [
        module({ name: 'snd_hda', fileName: 'snd-hda.ko', replaces: ['snd_hda'] }),
        module({ replaces: ['iavf'] }),
      ],
    });

    expect(files['usr/lib/depmod.d/kmodlayer-intel-ice.conf']).toBe('override snd-hda * extra/intel-ice\n');
  });

  it('puts firmware where the kernel looks for it', () => {
    const firmware = [{ path: 'intel/ice/ddp/ice.pkg', bytes: Buffer.from('ddp') }];

    expect(place({ firmware })).toEqual({ 'usr/lib/firmware/intel/ice/ddp/ice.pkg': 'ddp' });
  });

  it.each(['a"b', 'a\\b', 'a\nb', 'a\rb', 'a\0b', 'a#b'])('refuses the parameter %j', (value) => {
    expect(() => place({ modules: [module({ parameters: { debug: value } })] })).toThrow(
      expect.objectContaining({ name: 'LayerError', code: 'CONTENT_INVALID' }),
    );
  });
});
