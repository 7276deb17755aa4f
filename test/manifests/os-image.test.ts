import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeOsImageMachineConfig } from '../../src/manifests/os-image.ts';
import { toYaml } from '../../src/manifests/yaml.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { formatReference, parseReference } from '../../src/oci/reference.ts';
import { crdCheck } from '../support/crd.ts';

const DIGEST = digestOf(Buffer.from('image'));
const IMAGE = parseReference(`quay.example.com/acme/rhcos-telco-nic@${DIGEST}`);
const check = crdCheck('machineconfigs.yaml', 'v1');

describe('makeOsImageMachineConfig()', () => {
  it('writes what is applied to a cluster', async () => {
    const object = makeOsImageMachineConfig({ name: '99-worker-telco-nic', pool: 'worker', image: IMAGE });

    const yaml = toYaml([object]);

    expect(parse(yaml)).toEqual(object);
    await expect(yaml).toMatchFileSnapshot('../../fixtures/machineconfigs/99-worker-telco-nic.yaml');
  });

  it('fits the definition of MachineConfig, whatever the names', () => {
    const name = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/);
    fc.assert(
      fc.property(name, name, (name, pool) => {
        const object = makeOsImageMachineConfig({ name, pool, image: IMAGE });

        expect(check(object)).toEqual([]);
        expect(parse(toYaml([object]), { version: '1.1' })).toEqual(object);
        expect(object.metadata.labels['machineconfiguration.openshift.io/role']).toBe(pool);
        expect(object.spec.osImageURL).toBe(formatReference(IMAGE));
      }),
    );
  });

  it('is judged by a definition that knows wrong from right', () => {
    const object = makeOsImageMachineConfig({ name: 'a', pool: 'worker', image: IMAGE });

    expect(check({ ...object, spec: { osImageURL: 7 } })).toHaveLength(1);
    expect(check({ ...object, spec: { osImageUrl: 'x' } })).toHaveLength(1);
  });

  it.each([
    ['a tag', 'quay.io/acme/os:1', /not pinned to a digest/],
    ['a tag beside the digest', `quay.io/acme/os:1@${DIGEST}`, /not pinned to a digest/],
    ['neither', 'quay.io/acme/os', /not pinned to a digest/],
    ['a layout', `oci:dir@${DIGEST}`, /nodes pull from registries only/],
    ['an archive', `oci-archive:a.tar@${DIGEST}`, /nodes pull from registries only/],
  ])('refuses an image with %s', (_, image, message) => {
    expect(() =>
      makeOsImageMachineConfig({ name: 'a', pool: 'worker', image: parseReference(image) }),
    ).toThrow(
      expect.objectContaining({
        name: 'SpecError',
        code: 'VALUE_INVALID',
        message: expect.stringMatching(message) as string,
        hint: expect.any(String) as string,
      }),
    );
  });

  it.each([
    ['', 'worker'],
    ['99_worker', 'worker'],
    ['a', 'Worker'],
    ['a', 'worker\n  evil: true'],
    ['a'.repeat(64), 'worker'],
  ])('refuses the name %j for the pool %j', (name, pool) => {
    expect(() => makeOsImageMachineConfig({ name, pool, image: IMAGE })).toThrow(
      expect.objectContaining({ code: 'VALUE_INVALID' }),
    );
  });
});
