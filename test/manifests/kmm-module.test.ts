import { describe, expect, it } from 'vitest';
import { kmmVersionLabel, makeKmmModule } from '../../src/manifests/kmm-module.ts';
import { parseKernelPattern } from '../../src/manifests/kernel-pattern.ts';
import { parseLabelKey } from '../../src/manifests/labels.ts';
import { crdCheck } from '../support/crd.ts';
import { expectKept, expectRefusedOrValid, problemsOf } from './hostile.ts';

const check = crdCheck('modules.yaml', 'v1beta1');
const DIGEST = `sha256:${'4d'.repeat(32)}`;
const OPTIONS = {
  name: 'ice',
  namespace: 'kmm',
  nodeSelector: { 'node-role.kubernetes.io/worker': '' },
  module: 'ice',
  image: 'quay.io/acme/ice',
};

describe('makeKmmModule()', () => {
  it('leaves the tag of each kernel to KMM', () => {
    const module = makeKmmModule(OPTIONS);

    expectKept(module, check);
    expect(module.spec).toEqual({
      moduleLoader: {
        container: {
          modprobe: { moduleName: 'ice', dirName: '/opt' },
          kernelMappings: [{ regexp: '^.+$', containerImage: 'quay.io/acme/ice:${KERNEL_FULL_VERSION}' }],
        },
      },
      selector: { 'node-role.kubernetes.io/worker': '' },
    });
  });

  it('names images by digest for kernels as KMM spells them', () => {
    const image = {
      '5.14.0-1.el9.x86_64+rt': `quay.io/acme/ice:gone@${DIGEST}`,
      '6.1.0+': `quay.io/acme/ice@${DIGEST}`,
    };

    const module = makeKmmModule({ ...OPTIONS, image });

    expectKept(module, check);
    expect(module.spec.moduleLoader.container.kernelMappings).toEqual([
      { literal: '5.14.0-1.el9.x86_64+rt', containerImage: `quay.io/acme/ice@${DIGEST}` },
      { literal: '6.1.0', containerImage: `quay.io/acme/ice@${DIGEST}` },
    ]);
  });

  it('takes over what Day 1 loaded: unloads it as its file is spelt, and loads in order', () => {
    const module = makeKmmModule({
      ...OPTIONS,
      kernels: String.raw`^5\.14\..*\.x86_64$`,
      module: 'intel-net',
      loadFirst: ['auxiliary', 'gnss'],
      parameters: { debug: '1 2' },
      replaces: ['intel-net', 'i2c-i801', 'intel-net'],
      version: '1.14.13',
      firmware: '/firmware',
      directory: '/modules',
      imagePullSecret: 'pull',
    });

    expectKept(module, check);
    expect(module.spec).toMatchObject({
      moduleLoader: {
        container: {
          modprobe: {
            moduleName: 'intel-net',
            dirName: '/modules',
            parameters: ['debug=1 2'],
            firmwarePath: '/firmware',
            modulesLoadingOrder: ['intel-net', 'gnss', 'auxiliary'],
          },
          kernelMappings: [{ regexp: String.raw`^5\.14\..*\.x86_64$` }],
          inTreeModulesToRemove: ['intel-net', 'i2c-i801'],
          version: '1.14.13',
        },
      },
      imageRepoSecret: { name: 'pull' },
    });
  });

  it.each<[object, string]>([
    [{ name: 'a'.repeat(39) }, 'name'],
    [{ image: 'registry:5000/foo bar' }, 'image'],
    [{ image: {} }, 'image'],
    [{ image: { '5.14.0-1': 'quay.io/a/b:c' } }, 'image["5.14.0-1"]'],
    [{ image: { '5.14.0-1': `quay.io/a/b@${DIGEST}` }, kernels: '^5' }, 'kernels'],
    [{ loadFirst: ['gnss', 'ice'] }, 'loadFirst'],
    [{ version: '' }, 'version'],
    [{ version: 'a b' }, 'version'],
    [{ parameters: { debug: '"' } }, 'parameters["debug"]'],
    [{ nodeSelector: { a: 'b c' } }, 'nodeSelector["a"]'],
    [{ module: 'ice.ko' }, 'module'],
    [{ directory: 'opt' }, 'directory'],
    [{ imagePullSecret: 'A' }, 'imagePullSecret'],
    [{ selector: {} }, 'selector'],
  ])('refuses %j', (wrong, path) => {
    expect(problemsOf(makeKmmModule, { ...OPTIONS, ...wrong })).toEqual([path]);
  });

  it('always gives an image a tag or a digest, which the webhook only looks for', () => {
    const module = makeKmmModule({ ...OPTIONS, image: 'registry:5000/foo' });

    const [mapping] = module.spec.moduleLoader.container.kernelMappings;
    expect(mapping?.containerImage).toBe('registry:5000/foo:${KERNEL_FULL_VERSION}');
  });

  it('refuses or renders any value of any option', () => {
    const valid = {
      ...OPTIONS,
      kernels: '^5',
      parameters: { debug: '1' },
      loadFirst: ['gnss'],
      replaces: ['irdma'],
      version: '1',
      firmware: '/firmware',
      directory: '/opt',
      imagePullSecret: 'pull',
    };

    expectRefusedOrValid({ make: makeKmmModule, valid, check, alsoNamed: ['name', 'kernels', 'loadFirst'] });
  });
});

describe('kmmVersionLabel()', () => {
  it('is a label, for the longest of names', () => {
    const label = kmmVersionLabel({ name: 'a'.repeat(20), namespace: 'b'.repeat(21) });

    expect(parseLabelKey(label)).toBe(label);
    expect(label).toMatch(/^kmm\.node\.kubernetes\.io\/version-module\.b{21}\.a{20}$/);
  });
});

describe('parseKernelPattern()', () => {
  it.each(['^.+$', String.raw`^5\.14\.0-(?:427|503)\.\d+.*[^a-f_]x86_64\+rt$`, '6.1', 'a|b', '(a)?'])(
    'takes %s',
    (text) => {
      expect(parseKernelPattern(text)).toBe(text);
    },
  );

  it.each([
    '',
    '(?=a)',
    '(a',
    '[]',
    '[^]',
    'a{2000}',
    String.raw`(a)\1`,
    'a b',
    'a\nb',
    '(?i)a',
    'a**',
    '(?<x>a)',
  ])('refuses %j', (text) => {
    expect(() => parseKernelPattern(text)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }));
  });
});
