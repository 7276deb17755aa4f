import { readKmmModule } from '../../src/compile/kmm-module.ts';
import { readCpio } from '../../src/engine/archives/cpio.ts';
import { findPacking, unpackBytes } from '../../src/engine/archives/decompress.ts';
import { makeEntryTree } from '../../src/engine/archives/entry-tree.ts';
import { readRpmFacts } from '../../src/engine/archives/rpm.ts';
import { unpackTar } from '../../src/engine/archives/tar.ts';
import { imageOf, parseDownloadUrl, parseSha256 } from '../../src/spec/values.ts';
import { END_OF_TAR, rawEntry } from '../support/raw-tar.ts';
import { fixture, fuzz } from './fuzz.ts';

const RPM = fixture('rpm/kmod-hello-gz.x86_64.rpm');
const CPIO = Buffer.from(await unpackBytes(RPM.subarray(readRpmFacts(RPM, 'a').payloadStart), 'a'));
const TAR = Buffer.concat([
  rawEntry({ name: 'driver/a.c' }, 'int a;\n'),
  rawEntry({ name: 'driver/b.c', type: '2', linkName: '../c/d' }),
  rawEntry({ name: 'driver/e.c', type: '1', linkName: 'driver/a.c' }),
  END_OF_TAR,
]);

/** Walks a tar, and writes nothing. */
async function walk(bytes: Uint8Array): Promise<void> {
  const tree = makeEntryTree('a');
  const writer = {
    tree,
    add: async (entry: Parameters<typeof tree.add>[0]) => {
      tree.add(entry);
    },
    finish: async () => undefined,
  };
  await unpackTar(
    (async function* () {
      yield bytes;
    })(),
    { writer, name: 'a' },
  );
  tree.checkLinks('');
}

const MODULE = Buffer.from(
  'apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: Module\nmetadata: { name: a }\nspec: { moduleLoader: { container: { build: { dockerfileConfigMap: { name: b } }, kernelMappings: [{ regexp: "^5" }] } } }\n---\nkind: ConfigMap\nmetadata: { name: b }\ndata: { dockerfile: FROM x }\n',
);

fuzz([
  {
    name: 'readKmmModule()',
    seeds: [MODULE],
    parse: (bytes) => readKmmModule(bytes.toString(), { file: 'a.yaml', kernel: '5.14.0', name: undefined }),
  },
  { name: 'readRpmFacts()', seeds: [RPM.subarray(0, 6000)], parse: (bytes) => readRpmFacts(bytes, 'a') },
  { name: 'readCpio()', seeds: [CPIO], parse: (bytes) => [...readCpio(bytes, 'a')] },
  { name: 'findPacking()', seeds: [RPM.subarray(0, 16)], parse: (bytes) => findPacking(bytes) },
  { name: 'unpackTar()', seeds: [TAR], parse: walk },
  {
    name: 'parseDownloadUrl()',
    seeds: [Buffer.from('https://example.com/a.tar.gz?x=y')],
    parse: (bytes) => parseDownloadUrl(bytes.toString()),
  },
  {
    name: 'parseSha256()',
    seeds: [Buffer.from('a'.repeat(64))],
    parse: (bytes) => parseSha256(bytes.toString()),
  },
  {
    name: 'imageOf()',
    seeds: [Buffer.from('quay.io/acme/driver:1-{kernel}')],
    parse: (bytes) => imageOf(bytes.toString(), '5.14.0-427.el9.x86_64+rt', 'x86_64'),
  },
]);
