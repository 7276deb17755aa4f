import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { storeXz } from '../../src/kmod/xz-writer.ts';
import { readInitramfs } from '../../src/layer/initramfs/read-initramfs.ts';
import { writeInitramfs } from '../../src/layer/initramfs/write-cpio.ts';
import { readCommitPaths } from '../../src/layer/commit-tree.ts';
import { parseConfig } from '../../src/oci/config.ts';
import { digestOf, parseDigest } from '../../src/oci/digest.ts';
import { readLayerFiles } from '../../src/oci/layer-files.ts';
import { walkLayer } from '../../src/oci/layer-reader.ts';
import { parseManifest } from '../../src/oci/manifest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { readTarIndex } from '../../src/registry/tar-index.ts';
import { readLayerNodes } from '../../src/verify/boot/layer-nodes.ts';
import { END_OF_TAR, PieceSource, rawEntry } from '../support/raw-tar.ts';
import { fixture, fuzz } from './fuzz.ts';

const MAX_BYTES = 4 * 1024 ** 2;
const OBJECT = `sysroot/ostree/repo/objects/ab/${'c'.repeat(62)}.file`;
const TAR = Buffer.concat([
  rawEntry({ name: 'usr/', type: '5' }),
  rawEntry({ name: OBJECT }, 'module index'),
  rawEntry({ name: 'usr/lib/modules/6.1.0/modules.dep', type: '1', linkName: OBJECT }),
  rawEntry({ name: '././@LongLink', type: 'L' }, `usr/lib/${'long/'.repeat(30)}name\0`),
  rawEntry({ name: 'usr/lib/long' }, 'content'),
  rawEntry({ name: 'pax', type: 'x' }, '34 SCHILY.xattr.user.name=some text\n'),
  rawEntry({ name: 'usr/bin/sh', type: '2', linkName: 'bash' }),
  rawEntry({ name: 'usr/lib/.wh.gone' }),
  END_OF_TAR,
]);
const LAYERS = [
  TAR,
  gzipSync(TAR),
  Buffer.concat([gzipSync(TAR.subarray(0, 1024)), gzipSync(TAR.subarray(1024))]),
];

const DIRECTORIES = [
  '1880560399fb4e59dac2a64b0baff9a19c526782ed216449c9360b19a98a0b22',
  '3aaa84d0fb7a49bda3e0be3e5d40a132e7a1c81b80ff1abbb00b5f916059b068',
  '485dc11be6b5476158bb8004abd1ea3033648c4fa8a7fd13527513b6963ea5f9',
  'b21aff6fd8f08f2e7c38388c8d6b48070f5dbf1ec941cacb35fd518832722152',
].map((name) => fixture(`ostree/objects/${name}.dirtree`));
const COMMIT = fixture(
  'ostree/objects/f9f4f5168ad8b6c3382e77477c6a1cf5c1248fd18d406df9c6641931631686c6.commit',
);
const ROOT = Buffer.from('3aaa84d0fb7a49bda3e0be3e5d40a132e7a1c81b80ff1abbb00b5f916059b068', 'hex');

/** The commit, with another directory as its root: objects go by the checksum of their bytes. */
function commitOf(directory: Uint8Array): Buffer {
  const commit = Buffer.from(COMMIT);
  Buffer.from(sha256(directory), 'hex').copy(commit, commit.indexOf(ROOT));
  return commit;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const CPIO = writeInitramfs([
  { path: 'usr/lib/modules/6.1.0/modules.dep', type: 'file', bytes: Buffer.from('a.ko:\n') },
  { path: 'lib', type: 'symlink', target: 'usr/lib' },
]);

/** An archive is read in pieces, as it comes. */
async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 37) yield bytes.subarray(at, at + 37);
}

fuzz([
  {
    name: 'readInitramfs()',
    seeds: [
      CPIO,
      gzipSync(CPIO),
      Buffer.concat([CPIO, gzipSync(CPIO), Buffer.alloc(8), CPIO]),
      storeXz(CPIO),
    ],
    parse: (bytes) =>
      readInitramfs(pieces(bytes), {
        wants: () => true,
        onEntry: () => undefined,
        onContent: () => undefined,
      }),
  },
  {
    name: 'walkLayer()',
    seeds: LAYERS,
    parse: (bytes) =>
      walkLayer(new PieceSource(bytes), {
        maxBytes: MAX_BYTES,
        wants: () => true,
        onContent: () => undefined,
      }),
  },
  {
    name: 'readLayerFiles()',
    seeds: LAYERS,
    parse: (bytes) =>
      readLayerFiles(() => new PieceSource(bytes), { maxBytes: MAX_BYTES, wants: () => true }),
  },
  {
    name: 'readLayerNodes()',
    seeds: LAYERS,
    parse: (bytes) =>
      readLayerNodes(() => new PieceSource(bytes), { maxBytes: MAX_BYTES, wants: () => true }),
  },
  {
    name: 'readTarIndex()',
    seeds: [TAR],
    parse: (bytes) =>
      readTarIndex(
        (offset, sizeBytes) => Promise.resolve(bytes.subarray(offset, offset + sizeBytes)),
        bytes.length,
        'an archive',
      ),
  },
  {
    name: 'readCommitPaths() with a damaged commit',
    seeds: [COMMIT],
    parse: (bytes) => readCommitPaths(new Map([[`${sha256(bytes)}.commit`, bytes]]), sha256(bytes)),
  },
  {
    name: 'readCommitPaths() with a damaged directory',
    seeds: DIRECTORIES,
    parse(bytes) {
      const root = commitOf(bytes);
      return readCommitPaths(
        new Map([
          [`${sha256(root)}.commit`, root],
          [`${sha256(bytes)}.dirtree`, bytes],
        ]),
        sha256(root),
      );
    },
  },
  {
    name: 'parseManifest()',
    seeds: [fixture('images/chunked-manifest.json')],
    parse: (bytes) => parseManifest({ bytes, digest: digestOf(bytes), mediaType: '' }),
  },
  {
    name: 'parseConfig()',
    seeds: [
      Buffer.from(
        JSON.stringify({
          architecture: 'amd64',
          os: 'linux',
          config: { Labels: { version: '418.94' } },
          rootfs: { type: 'layers', diff_ids: [`sha256:${'a'.repeat(64)}`] },
          history: [{ created: '2026-01-01T00:00:00Z', created_by: 'x', empty_layer: true }],
        }),
      ),
    ],
    parse: (bytes) => parseConfig(bytes),
  },
  {
    name: 'parseReference()',
    seeds: [
      'quay.io/a/b:tag',
      'docker://[::1]:5000/a@sha256:' + 'a'.repeat(64),
      'oci:dir:tag',
      'oci-archive:f.tar',
    ].map((text) => Buffer.from(text)),
    parse: (bytes) => parseReference(bytes.toString()),
  },
  {
    name: 'parseDigest()',
    seeds: [Buffer.from(`sha256:${'a'.repeat(64)}`), Buffer.from(`sha512:${'0'.repeat(128)}`)],
    parse: (bytes) => parseDigest(bytes.toString()),
  },
  {
    name: 'parseTag()',
    seeds: [Buffer.from('4.18.4-x86_64'), Buffer.from('latest')],
    parse: (bytes) => parseTag(bytes.toString()),
  },
]);
