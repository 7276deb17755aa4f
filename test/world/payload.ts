import { createHash } from 'node:crypto';
import type { Image, ImageLayer, Layout } from './layout.ts';
import { fileEntry } from './tar.ts';

/** The images of one stream that a payload names. */
export interface PayloadStream {
  readonly streamClass: 'rhel-9' | 'rhel-10';
  readonly machineOs: string;
  readonly osImage: string;
  readonly extensions: string;
  readonly driverToolkit: string;
}

export interface PayloadOptions {
  readonly layout: Layout;
  readonly version: string;
  readonly previous: readonly string[];
  /** Repository that the references name, for instance `quay.io/openshift-release-dev/ocp-v4.0-art-dev`. */
  readonly repository: string;
  /** Digests of the images that exist, by stream; the default stream first. */
  readonly streams: readonly PayloadStream[];
  /** Layers below the one that `oc adm release new` appends. */
  readonly base: readonly ImageLayer[];
  readonly family: 'docker' | 'oci';
  readonly created: string;
  readonly name?: string;
}

/** Components that a real payload has beside those that we read; their digests lead nowhere here. */
const OTHERS = [
  ...[
    'agent-installer-api-server',
    'aws-ebs-csi-driver',
    'baremetal-installer',
    'cli',
    'cluster-config-operator',
  ],
  ...[
    'cluster-version-operator',
    'console',
    'coredns',
    'docker-builder',
    'etcd',
    'haproxy-router',
    'hyperkube',
  ],
  ...['installer', 'kube-proxy', 'machine-config-operator', 'must-gather', 'network-tools', 'oauth-server'],
  ...['ovn-kubernetes', 'pod', 'prometheus', 'tools'],
];

/** Writes a release image: image-references first in the last layer, then release-metadata, then manifests. */
export async function writePayload(options: PayloadOptions): Promise<Image> {
  const { layout, version, repository } = options;
  const baseDigest = options.base.at(-1)?.layer.digest ?? '';
  const stream = options.streams[0];
  const metadata = {
    kind: 'cincinnati-metadata-v0',
    version,
    previous: options.previous,
    metadata: { url: `https://access.redhat.com/errata/RHSA-${options.created.slice(0, 4)}:1234` },
  };
  const osImageUrl = [
    'apiVersion: v1',
    'kind: ConfigMap',
    'metadata:',
    '  name: machine-config-osimageurl',
    '  namespace: openshift-machine-config-operator',
    'data:',
    `  releaseVersion: ${version}`,
    `  baseOSContainerImage: "${repository}@${stream?.osImage ?? ''}"`,
    `  baseOSExtensionsContainerImage: "${repository}@${stream?.extensions ?? ''}"`,
    '',
  ].join('\n');
  const driverToolkit = [
    'apiVersion: image.openshift.io/v1',
    'kind: ImageStream',
    'metadata: { name: driver-toolkit, namespace: openshift }',
    'spec:',
    '  tags:',
    ...['latest', stream?.machineOs ?? ''].flatMap((tag) => [
      `  - name: "${tag}"`,
      `    from: { kind: DockerImage, name: "${repository}@${stream?.driverToolkit ?? ''}" }`,
    ]),
    '',
  ].join('\n');
  const files = [
    fileEntry('release-manifests/image-references', JSON.stringify(imageReferences(options), null, 2)),
    fileEntry('release-manifests/release-metadata', JSON.stringify(metadata, null, 2)),
    fileEntry('release-manifests/0000_50_cluster-node-tuning_driver-toolkit-imagestream.yaml', driverToolkit),
    fileEntry('release-manifests/0000_80_machine-config_05_osimageurl.yaml', osImageUrl),
  ];
  const key = files.map((file) => file.content?.().toString() ?? '').join('\0');
  const layer = await layout.writeLayer(`payload ${key}`, () => [
    { path: 'release-manifests', type: 'directory', mode: 0o755 },
    ...files,
  ]);
  return layout.writeImage({
    layers: [...options.base, { layer, createdBy: '' }],
    labels: { 'io.openshift.release': version, 'io.openshift.release.base-image-digest': baseDigest },
    family: options.family,
    command: ['/usr/bin/cluster-version-operator'],
    created: options.created,
    ...(options.name === undefined ? {} : { name: options.name }),
  });
}

function imageReferences(options: PayloadOptions): unknown {
  const { version, repository, created } = options;
  const found = options.streams.flatMap((stream) => streamTags(stream, repository));
  const others = OTHERS.map((name) =>
    tagOf(name, repository, `sha256:${sha256(`${name} ${version}`)}`, {
      'io.openshift.build.source-location': `https://github.com/openshift/${name}`,
    }),
  );
  return {
    kind: 'ImageStream',
    apiVersion: 'image.openshift.io/v1',
    metadata: {
      name: version,
      creationTimestamp: created,
      annotations: {
        'release.openshift.io/from-image-stream': `ocp/${version.split('.').slice(0, 2).join('.')}-art-latest`,
        'release.openshift.io/from-release': `registry.ci.openshift.org/ocp/release:${version}-0.nightly`,
      },
    },
    spec: {
      lookupPolicy: { local: false },
      tags: [...found, ...others].sort((one, other) => (one.name < other.name ? -1 : 1)),
    },
    status: { dockerImageRepository: '' },
  };
}

function streamTags(stream: PayloadStream, repository: string): readonly PayloadTag[] {
  const suffix = stream.streamClass === 'rhel-10' ? '-10' : '';
  const os = { 'io.openshift.build.source-location': 'https://github.com/openshift/os' };
  return [
    tagOf(`rhel-coreos${suffix}`, repository, stream.osImage, {
      ...os,
      'io.openshift.build.version-display-names': 'machine-os=Red Hat Enterprise Linux CoreOS',
      'io.openshift.build.versions': `machine-os=${stream.machineOs}`,
      // Payloads name the class from the first version whose OS version no longer holds OpenShift's.
      ...(/^4\d\d\./.test(stream.machineOs) ? {} : { 'io.openshift.os.streamclass': stream.streamClass }),
    }),
    tagOf(`rhel-coreos${suffix}-extensions`, repository, stream.extensions, os),
    tagOf(`driver-toolkit${suffix}`, repository, stream.driverToolkit, {
      'io.openshift.build.source-location': 'https://github.com/openshift/driver-toolkit',
    }),
  ];
}

interface PayloadTag {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly from: { readonly kind: 'DockerImage'; readonly name: string };
  readonly generation: null;
  readonly importPolicy: object;
  readonly referencePolicy: { readonly type: '' };
}

function tagOf(
  name: string,
  repository: string,
  digest: string,
  annotations: Readonly<Record<string, string>>,
): PayloadTag {
  return {
    name,
    annotations: {
      'io.openshift.build.commit.id': sha256(name).slice(0, 40),
      'io.openshift.build.commit.ref': '',
      ...annotations,
    },
    from: { kind: 'DockerImage', name: `${repository}@${digest}` },
    generation: null,
    importPolicy: {},
    referencePolicy: { type: '' },
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
