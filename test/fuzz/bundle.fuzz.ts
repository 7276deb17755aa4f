import { parseDigest } from '../../src/oci/digest.ts';
import { parseReference, type RegistryReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import {
  bundleArtifact,
  descriptionOf,
  formatBundle,
  parseBundle,
} from '../../src/push/bundle/bundle-manifest.ts';
import { fuzz } from './fuzz.ts';

const digest = parseDigest(`sha256:${'4d'.repeat(32)}`);
const [name, tag] = [parseTag('4.18.4-x86_64'), parseTag('4.18.4-x86_64')];
const source = parseReference('quay.io/acme/release') as RegistryReference;
const bundle = {
  images: [{ name, digest, source, repository: 'acme/release', tag, isTagged: true }],
  signatures: new Map([[digest, [Buffer.from('signature')]]]),
};
const { manifest } = bundleArtifact(bundle);

fuzz([
  {
    name: 'descriptions of bundles',
    seeds: [formatBundle(bundle)],
    parse: (bytes) => parseBundle(bytes, 'f'),
  },
  {
    name: 'manifests of bundles',
    seeds: [manifest.bytes],
    parse: (bytes) => descriptionOf({ ...manifest, bytes }, 'f'),
  },
]);
