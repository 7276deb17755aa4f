import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { makeOsImageMachineConfig } from '../../../src/manifests/os-image.ts';
import { toYaml } from '../../../src/manifests/yaml.ts';
import { ProduceMachineConfig, produceMachineConfig } from '../../../src/index.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { findingsOf } from '../../support/lint.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** Everything that this package writes for a cluster, by name: whoever adds a manifest adds it here. */
const OURS: Readonly<Record<string, () => string>> = {
  'os-image': () =>
    toYaml([
      makeOsImageMachineConfig({
        name: '99-worker-ice',
        pool: 'worker',
        image: parseReference(`quay.io/acme/rhcos-ice@${DIGEST}`),
      }),
    ]),
  'fixtures/machineconfigs/99-worker-telco-nic.yaml': () =>
    readFileSync('fixtures/machineconfigs/99-worker-telco-nic.yaml', 'utf8'),
  'day1, host': () =>
    produceMachineConfig({
      name: '99-worker-ice',
      pool: 'worker',
      image: 'quay.io/acme/ice',
      module: 'ice',
      replaces: ['ice'],
      parameters: { debug: '0' },
      firmware: '/firmware',
    }),
  'day1, host, by digest, after a reboot': () =>
    produceMachineConfig({
      name: '99-worker-ice',
      pool: 'worker',
      image: `quay.io/acme/ice@${DIGEST}`,
      module: 'ice',
      activation: 'reboot',
    }),
  'day1, host, removed': () =>
    produceMachineConfig({
      name: '99-worker-ice',
      pool: 'worker',
      image: 'quay.io/acme/ice',
      module: 'ice',
      remove: true,
    }),
  'day1, kmm': () =>
    produceMachineConfig({
      name: '99-worker-ice',
      pool: 'worker',
      loader: 'kmm',
      image: `quay.io/acme/ice@${DIGEST}`,
      module: 'ice',
      workerImage: `quay.io/acme/worker@${DIGEST}`,
    }),
  'day1, by position': () => ProduceMachineConfig('99-worker-ice', 'worker', 'quay.io/acme/ice', 'ice'),
};

/** What some of them have on purpose, as those have whose structure they take over. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'day1, kmm': ['crio-wipe-masked'],
  'day1, by position': ['crio-wipe-masked', 'image-latest'],
};

describe('Manifests of our own', () => {
  it.each(Object.keys(OURS))('%s is linted clean', (name) => {
    const found = findingsOf(OURS[name]!()).filter(
      (finding) => !(ALLOWED[name] ?? []).some((rule) => finding.startsWith(`${rule} `)),
    );

    expect(found).toEqual([]);
  });
});
