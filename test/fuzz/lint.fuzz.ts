import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDataUrl } from '../../src/verify/manifest/data-url.ts';
import { lintManifests } from '../../src/verify/manifest/lint-manifests.ts';
import { readManifests } from '../../src/verify/manifest/read-manifests.ts';
import { readUnitFile } from '../../src/verify/manifest/unit-file.ts';
import { fuzz, fixture } from './fuzz.ts';

const FILES = [
  'lint/intel-100-iommu-on.yaml',
  'lint/intel-dgpu.yaml',
  'lint/kmm-e2e-module.yaml',
  'machineconfigs/99-worker-ice-kmm.yaml',
].map(fixture);

const HOSTILE = [
  'a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nkind: List\nitems: [*c, *c]\n',
  '{kind: MachineConfig, apiVersion: machineconfiguration.openshift.io/v1, spec: {config: [[[[[{}]]]]]}}',
  '? {a: b}\n: c\n<<: {kind: List}\n__proto__: 1\n',
].map((text) => Buffer.from(text));

const UNITS = ['host/load.service', 'kmm/pull-kernel-module-image.service'].map((name) =>
  readFileSync(join('machineconfigs', name)),
);

fuzz([
  {
    name: 'readManifests(), lintManifests()',
    seeds: [...FILES, ...HOSTILE],
    parse: (bytes) => lintManifests(readManifests('a.yaml', bytes.toString('utf8')).manifests),
  },
  {
    name: 'readUnitFile()',
    seeds: UNITS,
    parse: (bytes) => readUnitFile(bytes.toString('utf8')),
  },
  {
    name: 'readDataUrl()',
    seeds: [`data:;base64,${gzipSync('a'.repeat(1000)).toString('base64')}`, 'data:text/plain,a%20b'].map(
      (text) => Buffer.from(text),
    ),
    parse: (bytes) => readDataUrl(bytes.toString('utf8')),
  },
]);
