import { makeProgress } from '../../src/engine/docker/progress.ts';
import type { CompiledDriver } from '../../src/compile/compile.ts';
import { packDriver, unpackDriver } from '../../src/compile/kept-driver.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseAuthFile } from '../../src/registry/auth-file.ts';
import { parseChallenges } from '../../src/registry/http/challenge.ts';
import { parseLinks } from '../../src/registry/http/links.ts';
import { parseLayoutIndex } from '../../src/registry/layout-index.ts';
import { parseOwner } from '../../src/registry/lock-owner.ts';
import { parseMirrorSets } from '../../src/registry/mirror-sets.ts';
import { parseRegistriesConf } from '../../src/registry/registries-conf.ts';
import { parseToolkitRelease } from '../../src/resolve/driver-toolkit.ts';
import { findMachineOs } from '../../src/resolve/machine-os.ts';
import { parsePayload } from '../../src/resolve/payload.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { parseModuleName } from '../../src/spec/module-name.ts';
import { parseSpec } from '../../src/spec/spec.ts';
import { parseConsole } from '../../src/verify/boot/console.ts';
import { findElfNeeds } from '../../src/verify/boot/elf-needs.ts';
import { findPeHash } from '../../src/verify/boot/pe-hash.ts';
import { readLoadConfig } from '../../src/verify/image/load-config.ts';
import { fixture, fuzz } from './fuzz.ts';

const METADATA = fixture('releases/release-metadata-4.12.0-x86_64.json');
const SMALL_PAYLOAD = Buffer.from(
  JSON.stringify({
    kind: 'ImageStream',
    spec: {
      tags: [
        {
          name: 'rhel-coreos',
          annotations: { 'io.openshift.build.versions': 'machine-os=418.94' },
          from: { kind: 'DockerImage', name: `quay.io/a/b@sha256:${'a'.repeat(64)}` },
        },
      ],
    },
  }),
);
const COMPILED: CompiledDriver = {
  driver: 'hello',
  kernel: parseKernelRelease('6.1.0-56-amd64'),
  modules: [{ name: parseModuleName('kl_base'), fileName: 'kl_base.ko', bytes: Buffer.from('bytes') }],
  symvers: '0x1 kl_add kl_base EXPORT_SYMBOL\n',
  source: { type: 'directory', digest: digestOf(Buffer.from('source')) },
};
const API_ANSWER = Buffer.from(
  '{"id":"moby.buildkit.trace","aux":"Gl0KR3NoYTI1Njo5MjBkN2U3NTYzYzdmOTdjYTVhYzY1NzY5Nzg0MzY3Njk4MTE2ZDIxMjMwODE4Y2U5YjIwOGQ4MmYxMDJlMzU1EgsI4e+q2AYQ/I7aUhgBIgNoaQo="}\n{"stream":"a\\n"}\n',
);
const CONSOLE = Buffer.from(
  [
    '[    0.000000] Linux version 6.1.0-56-amd64',
    'kmodlayer: start 6.1.0-56-amd64',
    'kmodlayer: step 1',
    '[    2.100000] calling  kl_init+0x0/0x10 [kl_consumer] @ 101',
    '[    2.200000] initcall kl_init+0x0/0x10 [kl_consumer] returned -19 after 20 usecs',
    'kmodlayer: done',
    '',
  ].join('\r\n'),
);
/** An ELF header and one segment, as programs have them. */
const PROGRAM = Buffer.concat([fixture('modules/kl_provider.ko').subarray(0, 64), Buffer.alloc(512, 1)]);
const PE = Buffer.alloc(512);
PE.write('MZ');
PE.writeUInt32LE(0x80, 0x3c);
PE.write('PE\0\0', 0x80, 'latin1');
PE.writeUInt16LE(0x20b, 0x98);

fuzz([
  {
    name: 'parseSpec()',
    seeds: [fixture('specs/minimal.yaml'), fixture('specs/five-mistakes.yaml')],
    parse: (bytes) => parseSpec(bytes.toString(), 'kmodlayer.yaml'),
  },
  {
    name: 'parsePayload()',
    seeds: [SMALL_PAYLOAD],
    parse: (bytes) => parsePayload(bytes, METADATA),
  },
  {
    name: 'parsePayload() with damaged metadata',
    seeds: [METADATA],
    parse: (bytes) => parsePayload(SMALL_PAYLOAD, bytes),
  },
  {
    name: 'parseToolkitRelease()',
    seeds: [
      Buffer.from('{"KERNEL_VERSION":"5.14.0-427.el9.x86_64","RT_KERNEL_VERSION":"","RHEL_VERSION":"9.4"}'),
    ],
    parse: (bytes) => parseToolkitRelease(bytes, 'x86_64'),
  },
  {
    name: 'findMachineOs()',
    seeds: [Buffer.from('machine-os=418.94.202501 Red Hat Enterprise Linux CoreOS')],
    parse: (bytes) => findMachineOs(bytes.toString()),
  },
  {
    name: 'parseAuthFile()',
    seeds: [
      fixture('auth/pull-secret.json'),
      Buffer.from('{"credHelpers":{"a.io":"pass"},"credsStore":"x"}'),
    ],
    parse: (bytes) => parseAuthFile(bytes, 'auth.json'),
  },
  {
    name: 'parseRegistriesConf()',
    seeds: [
      Buffer.from(
        '[[registry]]\nprefix = "*.io"\nlocation = "a.io"\n[[registry.mirror]]\nlocation = "m.io/a"\n',
      ),
    ],
    parse: (bytes) => parseRegistriesConf(bytes.toString(), 'registries.conf'),
  },
  {
    name: 'parseMirrorSets()',
    seeds: [
      Buffer.from(
        'apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nspec:\n  imageDigestMirrors:\n  - source: quay.io/a\n    mirrors: [m.io/a]\n    mirrorSourcePolicy: NeverContactSource\n',
      ),
    ],
    parse: (bytes) => parseMirrorSets(bytes.toString(), 'idms.yaml'),
  },
  {
    name: 'parseLayoutIndex()',
    seeds: [fixture('quickstart/release/index.json')],
    parse: (bytes) => parseLayoutIndex(bytes, 'oci:release'),
  },
  {
    name: 'unpackDriver()',
    seeds: [packDriver(COMPILED)],
    parse: (bytes) => unpackDriver(bytes, COMPILED),
  },
  {
    name: 'parseOwner()',
    seeds: [Buffer.from('{"machine":"host boot pid:[1]","pid":7,"startedAt":"99","nonce":"ab"}')],
    parse: (bytes) => parseOwner(bytes.toString()),
  },
  {
    name: 'parseChallenges()',
    seeds: [Buffer.from('Bearer realm="https://auth.io/token",service="a", scope="x:y", Basic realm=b')],
    parse: (bytes) => parseChallenges(bytes.toString('latin1')),
  },
  {
    name: 'parseLinks()',
    seeds: [Buffer.from('</v2/a/tags/list?last=b&n=100>; rel="next", <x>; rel=prev')],
    parse: (bytes) => parseLinks(bytes.toString('latin1')),
  },
  {
    name: 'readLoadConfig()',
    seeds: [
      Buffer.from('options kl greeting="a b"\nsoftdep kl pre: x post: y\nblacklist z\ninstall q /bin/true\n'),
    ],
    parse: (bytes) => readLoadConfig(new Map([['usr/lib/modprobe.d/a.conf', bytes]])),
  },
  { name: 'parseConsole()', seeds: [CONSOLE], parse: (bytes) => parseConsole(bytes) },
  { name: 'findElfNeeds()', seeds: [PROGRAM], parse: (bytes) => findElfNeeds(bytes) },
  { name: 'findPeHash()', seeds: [PE], parse: (bytes) => findPeHash(bytes) },
  { name: 'makeProgress()', seeds: [API_ANSWER], parse: parseProgress },
]);

function parseProgress(bytes: Uint8Array): void {
  const progress = makeProgress(() => undefined);
  progress.write(bytes);
  progress.end();
}
