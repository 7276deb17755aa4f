import type { Arch } from '../../src/oci/arch.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { formatReference, parseReference, pinned, type Reference } from '../../src/oci/reference.ts';
import type { Cache } from '../../src/io.ts';
import type { BuildEvent } from '../../src/events.ts';
import type { ResolveIo } from '../../src/resolve/open-release.ts';
import { MemoryImages } from './memory-images.ts';
import type { MemoryRepository } from './memory-images.ts';
import { addImage, addIndex, type Entry, type ImageRecipe, noise, tarOf } from './synthetic-image.ts';

/** An image of a payload. */
export interface PayloadTag {
  readonly name: string;
  readonly digest: Digest;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly kind?: string;
}

export const RELEASES = parseReference('quay.io/openshift-release-dev/ocp-release');
export const COMPONENTS = parseReference('quay.io/openshift-release-dev/ocp-v4.0-art-dev');
export const KERNEL = '5.14.0-427.50.1.el9_4.x86_64';

/** The files that `oc adm release new` writes into its layer. */
export function payloadEntries(
  version: string,
  tags: readonly PayloadTag[],
  options: { readonly prefix?: string; readonly isMulti?: boolean; readonly components?: Reference } = {},
): readonly Entry[] {
  const { prefix = '', isMulti = false, components = COMPONENTS } = options;
  const imageReferences = {
    kind: 'ImageStream',
    apiVersion: 'image.openshift.io/v1',
    metadata: { name: version },
    spec: {
      lookupPolicy: { local: false },
      tags: tags.map(({ name, digest, annotations, kind = 'DockerImage' }) => ({
        name,
        ...(annotations === undefined ? {} : { annotations }),
        from: { kind, name: formatReference(pinned(components, digest)) },
        generation: null,
        importPolicy: {},
        referencePolicy: { type: '' },
      })),
    },
    status: { dockerImageRepository: '' },
  };
  const metadata = {
    kind: 'cincinnati-metadata-v0',
    version,
    previous: ['4.0.1'],
    metadata: {
      url: 'https://access.redhat.com/errata/RHSA-2022:7399',
      ...(isMulti ? { 'release.openshift.io/architecture': 'multi' } : {}),
    },
  };
  return [
    { path: `${prefix}release-manifests`, directory: true },
    {
      path: `${prefix}release-manifests/image-references`,
      content: JSON.stringify(imageReferences, null, 2),
    },
    { path: `${prefix}release-manifests/release-metadata`, content: JSON.stringify(metadata) },
    { path: `${prefix}release-manifests/0000_50_operator.yaml`, content: 'kind: ConfigMap\n' },
  ];
}

/** A file of an encapsulated commit: its content under the checksum, then the name as a hard link. */
export function chunked(path: string, content: string | Uint8Array): readonly Entry[] {
  const hex = digestOf(Buffer.from(content)).slice('sha256:'.length);
  const object = `sysroot/ostree/repo/objects/${hex.slice(0, 2)}/${hex.slice(2)}.file`;
  return [
    { path: object, content },
    { path, hardlink: object },
  ];
}

/** An OS image as it was up to 4.18: an encapsulated commit in chunks. */
export async function chunkedOsImage({
  kernel = KERNEL,
  labels = {},
  history,
  arch = 'x86_64',
}: {
  readonly kernel?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly history?: readonly string[];
  readonly arch?: Arch;
} = {}): Promise<ImageRecipe> {
  const modules = `usr/lib/modules/${kernel}`;
  const layers: Entry[][] = [
    [
      { path: './', directory: true },
      { path: 'usr/lib/modules', directory: true },
      { path: modules, directory: true },
    ],
    [...chunked('usr/bin/bash', noise(80_000))],
    [...chunked(`${modules}/vmlinuz`, noise(40_000))],
    [...chunked(`${modules}/initramfs.img`, 'initramfs'), ...chunked(`${modules}/modules.dep`, 'a.ko:')],
  ];
  const final = digestOf(await tarOf(layers.at(-1) ?? []));
  return {
    layers,
    arch,
    family: 'docker',
    history: history ?? [
      'ostree export of commit 0123',
      '40 components',
      `kernel-core-${kernel}`,
      `initramfs (kernel ${kernel}) and rpmostree-unpackaged-content`,
    ],
    labels: { 'ostree.bootable': 'true', 'ostree.final-diffid': final, ...labels },
  };
}

/** An OS image as it is from 4.19 on: chunks, a layer of a build step, `meta.json`. */
export async function nodeOsImage({
  kernel = KERNEL,
  baseKernel = kernel,
  labels = {},
  meta = metaJson(kernel),
  nodeFiles = [],
}: {
  readonly kernel?: string;
  /** Kernel of the encapsulated commit, when a node layer brings another one. */
  readonly baseKernel?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly meta?: string;
  readonly nodeFiles?: readonly Entry[];
} = {}): Promise<ImageRecipe> {
  const base = await chunkedOsImage({ kernel: baseKernel });
  return {
    ...base,
    layers: [
      ...base.layers,
      [{ path: 'usr/bin/kubelet', content: noise(50_000) }, ...nodeFiles],
      [{ path: 'usr/share/openshift/base/meta.json', content: meta }],
    ],
    history: [...(base.history ?? []), 'RUN build-node-image.sh', 'COPY /usr/share/openshift'],
    labels: { ...base.labels, 'ostree.linux': 'true', 'io.openshift.metalayer': 'true', ...labels },
  };
}

/** The package list that node images carry. */
export function metaJson(kernel: string): string {
  const match = /^(?<version>[^-]+)-(?<release>.+)\.(?<arch>[^.]+)$/.exec(kernel);
  const { version = '', release = '', arch = '' } = match?.groups ?? {};
  return JSON.stringify({
    'rpmdb.pkglist': [
      ['NetworkManager', '1', '1.48.10', '5.el9', 'x86_64'],
      ['kernel-core', '0', version, release, arch],
      ['kernel-modules', '0', version, release, arch],
    ],
  });
}

/** A driver-toolkit; `json` replaces what its file says. */
export function toolkitImage({
  kernel = KERNEL,
  rhel = '9.4',
  json,
  labels = {},
  arch = 'x86_64',
}: {
  readonly kernel?: string;
  readonly rhel?: string;
  readonly json?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly arch?: Arch;
} = {}): ImageRecipe {
  const text =
    json ??
    `{ "KERNEL_VERSION": "${kernel}", "RT_KERNEL_VERSION": "${kernel}+rt", "RHEL_VERSION": "${rhel}" }\n`;
  return {
    layers: [
      [{ path: 'usr/bin/gcc', content: noise(90_000) }],
      [{ path: `usr/src/kernels/${kernel}/Makefile`, content: noise(30_000) }],
      [{ path: 'etc/driver-toolkit-release.json', content: text }],
    ],
    arch,
    labels,
    family: 'docker',
  };
}

/** A cache in memory. */
export class MemoryCache implements Cache {
  readonly entries = new Map<string, Uint8Array>();

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.entries.get(key);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.entries.set(key, bytes);
  }
}

/** Images in memory with what `resolve` needs besides. */
export function setUpResolve(): {
  readonly images: MemoryImages;
  readonly releases: MemoryRepository;
  readonly components: MemoryRepository;
  readonly cache: MemoryCache;
  readonly events: BuildEvent[];
  readonly io: ResolveIo;
} {
  const images = new MemoryImages();
  const cache = new MemoryCache();
  const events: BuildEvent[] = [];
  const io: ResolveIo = {
    images,
    releaseTrust: { verify: () => Promise.resolve(undefined) },
    cache,
    report: (event) => void events.push(event),
    signal: new AbortController().signal,
  };
  return { images, releases: images.at(RELEASES), components: images.at(COMPONENTS), cache, events, io };
}

/** What a release is made from; every part can be replaced. */
export interface ReleaseRecipe {
  readonly version?: string;
  /** `<version>-x86_64` unless it is said otherwise; undefined for no tag at all. */
  readonly tag?: string;
  readonly osImage?: ImageRecipe;
  readonly toolkit?: ImageRecipe;
  readonly machineOs?: string;
}

/** A whole release with one stream: release image, OS image, extensions, driver-toolkit. */
export async function addRelease(
  { releases, components }: { readonly releases: MemoryRepository; readonly components: MemoryRepository },
  recipe: ReleaseRecipe = {},
): Promise<{
  readonly release: Digest;
  readonly osImage: Digest;
  readonly toolkit: Digest;
  readonly extensions: Digest;
}> {
  const { version = '4.18.4', machineOs = '418.94.202501010000-0' } = recipe;
  const osImage = await addImage(components, recipe.osImage ?? (await chunkedOsImage()));
  const toolkit = await addImage(components, recipe.toolkit ?? toolkitImage());
  const extensions = await addImage(components, {
    layers: [[{ path: 'usr/share/rpm-ostree/extensions.json', content: '{}' }]],
    arch: recipe.osImage?.arch ?? 'x86_64',
  });
  const release = await addImage(releases, {
    layers: [
      [{ path: 'usr/bin/cluster-version-operator', content: noise(60_000) }],
      payloadEntries(
        version,
        [
          {
            name: 'rhel-coreos',
            digest: osImage,
            annotations: { 'io.openshift.build.versions': `machine-os=${machineOs}` },
          },
          { name: 'rhel-coreos-extensions', digest: extensions },
          { name: 'driver-toolkit', digest: toolkit },
        ],
        { components: components.reference },
      ),
    ],
    arch: recipe.osImage?.arch ?? 'x86_64',
    family: 'docker',
  });
  releases.tag(recipe.tag ?? `${version}-x86_64`, release);
  return { release, osImage, toolkit, extensions };
}

/** A list over images that were built for several architectures. */
export async function addForArches(
  repository: MemoryRepository,
  recipes: readonly (ImageRecipe & { readonly arch: Arch })[],
): Promise<Digest> {
  const images = [];
  for (const recipe of recipes)
    images.push({ arch: recipe.arch, digest: await addImage(repository, recipe) });
  return addIndex(repository, images, 'docker');
}
