import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KernelPart, filesUnder, partOf } from './kernel-tree.ts';
import type { Image, ImageLayer, Layout } from './layout.ts';
import { chunkLayer, chunkTitle, commitLayer, type Component, type OsFile } from './ostree-layers.ts';
import { fileEntry, type TarEntry } from './tar.ts';

/** What is particular to one release's OS image. */
export interface OsRelease {
  /** `4.18.4`. */
  readonly version: string;
  /** `418.94.202503011234-0`, or `9.6.20250925-0` from 4.19 on. */
  readonly machineOs: string;
  readonly rhelVersion: string;
  readonly streamClass: 'rhel-9' | 'rhel-10';
  readonly format: 'chunked' | 'node-layers';
  readonly family: 'docker' | 'oci';
  readonly kernelRelease: string;
  readonly created: string;
  /** The value of `ostree.linux`; images of 4.22 say `true` there. */
  readonly ostreeLinux: string;
}

export interface OsImageOptions {
  readonly layout: Layout;
  readonly release: OsRelease;
  /** Root that holds `usr/lib/modules/<kernel release>` and `usr/lib/depmod.d`, from `makeKernelTree`. */
  readonly kernelTree: string;
  /** Packages that make up the rest of the OS. */
  readonly components: readonly Component[];
  /** Chunks of filler that follow the kernel's, for an image of realistic size. */
  readonly filler?: readonly (readonly Component[])[];
  readonly name?: string;
}

/** Writes an OS image as rpm-ostree (up to 4.18) or the node image build (from 4.19) writes it. */
export async function writeOsImage(options: OsImageOptions): Promise<Image> {
  const { layout, release } = options;
  const chunks = chunksOf(options);
  const files = chunks.flatMap((components) => components.flatMap((component) => component.files));
  const commit = sha256(`commit ${release.machineOs} ${release.kernelRelease}`);
  const layers: ImageLayer[] = [
    {
      layer: await layout.writeLayer(keyOf(`commit ${commit}`, files), () => commitLayer(commit, files)),
      createdBy: `ostree export of commit ${commit}`,
    },
  ];
  for (const components of chunks) {
    const content = components.flatMap((component) => component.files);
    layers.push({
      layer: await layout.writeLayer(keyOf('chunk', content), () => chunkLayer(components)),
      createdBy: chunkTitle(components),
      annotations: {
        'ostree.components': components
          .map(({ name }) => name)
          .sort()
          .join(','),
      },
    });
  }
  const finalDiffId = layers.at(-1)?.layer.diffId ?? '';
  const emptySteps: { after: number; createdBy: string }[] = [];
  if (release.format === 'node-layers') {
    emptySteps.push({ after: layers.length - 1, createdBy: '/bin/sh -c #(nop) ARG OPENSHIFT_CI=0' });
    layers.push(...(await nodeLayers(layout, release)));
    emptySteps.push({
      after: layers.length - 1,
      createdBy: '/bin/sh -c #(nop) LABEL io.openshift.metalayer=true',
    });
  }
  const labels = labelsOf(release, commit, finalDiffId);
  return layout.writeImage({
    layers,
    emptySteps,
    labels,
    annotations: labels,
    family: release.family,
    command: ['/sbin/init'],
    created: release.created,
    ...(options.name === undefined ? {} : { name: options.name }),
  });
}

/** Chunks in the order of the image: kernel, the rest, and the one that holds what no package owns last but one. */
function chunksOf(options: OsImageOptions): readonly (readonly Component[])[] {
  const { release, kernelTree, components } = options;
  const kernel = kernelComponents(kernelTree, release.kernelRelease);
  const coreOs = releaseComponent(release);
  const named = (...names: readonly string[]): readonly Component[] =>
    components.filter(({ name }) => names.includes(name));
  const tools = named('kmod', 'kmod-libs', 'xz-libs', 'libzstd').map((component) =>
    component.name === 'kmod'
      ? { ...component, files: [...component.files, depmodConfig(kernelTree)] }
      : component,
  );
  const others = components.filter(
    ({ name }) => !['kmod', 'kmod-libs', 'xz-libs', 'libzstd', 'linux-firmware'].includes(name),
  );
  return [
    named('linux-firmware'),
    [kernel['kernel-modules-core']],
    [kernel['kernel-modules']],
    [kernel['kernel-core']],
    ...(options.filler ?? []),
    tools,
    [coreOs, ...others],
    [kernel.initramfs, kernel.generated],
    [],
  ].filter((chunk, index, all) => chunk.length > 0 || index === all.length - 1);
}

function depmodConfig(kernelTree: string): OsFile {
  return osFile(kernelTree, 'usr/lib/depmod.d/dist.conf');
}

function kernelComponents(
  kernelTree: string,
  kernelRelease: string,
): Readonly<Record<KernelPart, Component>> {
  const directory = `usr/lib/modules/${kernelRelease}`;
  const files = filesUnder(join(kernelTree, directory));
  const component = (part: KernelPart, name: string, identifier: string): Component => ({
    name,
    identifier,
    files: files
      .filter((path) => partOf(path) === part)
      .map((path) => osFile(kernelTree, `${directory}/${path}`)),
  });
  const packaged = (part: KernelPart): Component => component(part, part, `${part}-${kernelRelease}`);
  return {
    'kernel-core': packaged('kernel-core'),
    'kernel-modules-core': packaged('kernel-modules-core'),
    'kernel-modules': packaged('kernel-modules'),
    initramfs: component('initramfs', 'initramfs', `initramfs (kernel ${kernelRelease})`),
    generated: component('generated', 'rpmostree-unpackaged-content', 'rpmostree-unpackaged-content'),
  };
}

/** A file of a directory tree as a file of the OS. */
export function osFile(root: string, path: string): OsFile {
  const file = join(root, path);
  return { path, mode: lstatSync(file).mode & 0o7777, content: () => readFileSync(file) };
}

function releaseComponent(release: OsRelease): Component {
  const text = [
    'NAME="Red Hat Enterprise Linux CoreOS"',
    'ID="rhel"',
    'VARIANT_ID=coreos',
    `VERSION="${release.machineOs}"`,
    `OSTREE_VERSION="${release.machineOs}"`,
    `RHEL_VERSION=${release.rhelVersion}`,
    `OPENSHIFT_VERSION="${release.version.split('.').slice(0, 2).join('.')}"`,
  ];
  return {
    name: 'redhat-release-coreos',
    identifier: `redhat-release-coreos-${release.rhelVersion}-1.noarch`,
    files: [
      { path: 'usr/lib/os-release', mode: 0o644, content: () => Buffer.from(`${text.join('\n')}\n`) },
      { path: 'usr/etc/os-release', mode: 0o777, target: '../usr/lib/os-release' },
      { path: 'usr/etc/machine-id', mode: 0o444 },
      { path: 'usr/etc/passwd', mode: 0o644, content: () => Buffer.from('root:x:0:0:root:/root:/bin/sh\n') },
      { path: 'usr/etc/group', mode: 0o644, content: () => Buffer.from('root:x:0:\n') },
      {
        path: 'usr/share/doc/release/README',
        mode: 0o644,
        content: () => Buffer.from('removed by the node layer\n'),
      },
      {
        path: 'usr/share/doc/release/extra/NOTES',
        mode: 0o644,
        content: () => Buffer.from('hidden by the node layer\n'),
      },
      ...['bin', 'sbin', 'lib', 'lib64'].map((name) => ({ path: name, mode: 0o777, target: `usr/${name}` })),
      { path: 'ostree', mode: 0o777, target: 'sysroot/ostree' },
    ],
  };
}

/** What the node image build adds to the CoreOS base: OpenShift's packages, and a last small layer that describes it. */
async function nodeLayers(layout: Layout, release: OsRelease): Promise<readonly ImageLayer[]> {
  const node: readonly TarEntry[] = [
    directory('etc'),
    directory('etc/crio'),
    fileEntry('etc/crio/crio.conf', '[crio]\n'),
    directory('usr'),
    directory('usr/bin'),
    fileEntry('usr/bin/kubelet', '#!/bin/sh\nexec true\n', 0o755),
    fileEntry('usr/bin/crio', '#!/bin/sh\nexec true\n', 0o755),
    directory('usr/lib'),
    directory('usr/lib/systemd'),
    directory('usr/lib/systemd/system'),
    fileEntry('usr/lib/systemd/system/kubelet.service', '[Service]\nExecStart=/usr/bin/kubelet\n'),
    directory('usr/share'),
    directory('usr/share/doc'),
    directory('usr/share/doc/release'),
    fileEntry('usr/share/doc/release/.wh.README', ''),
    directory('usr/share/doc/release/extra'),
    fileEntry('usr/share/doc/release/extra/.wh..wh..opq', ''),
    fileEntry('usr/share/doc/release/extra/node', 'written by the node layer\n'),
  ];
  const packages = [
    ['NetworkManager', '1', '1.48.10', `5.el${release.rhelVersion.replace('.', '_')}`, 'x86_64'],
    ['cri-o', '0', '1.32.4', `1.rhaos.el${release.rhelVersion.split('.')[0] ?? ''}`, 'x86_64'],
    ['openshift-kubelet', '0', release.version, '1', 'x86_64'],
  ];
  const meta: readonly TarEntry[] = [
    directory('usr'),
    directory('usr/share'),
    directory('usr/share/openshift'),
    directory('usr/share/openshift/base'),
    fileEntry('usr/share/openshift/base/meta.json', JSON.stringify({ 'rpmdb.pkglist': packages })),
  ];
  return [
    {
      layer: await layout.writeLayer(
        `node ${release.version} ${JSON.stringify(node.map(({ path }) => path))}`,
        () => node,
      ),
      createdBy: '|1 OPENSHIFT_CI=0 /bin/sh -c /run/src/build-node-image.sh',
    },
    {
      layer: await layout.writeLayer(`meta ${JSON.stringify(packages)}`, () => meta),
      createdBy: '/bin/sh -c #(nop) COPY dir:usr/share/openshift in /usr/share/openshift',
    },
  ];
}

function labelsOf(release: OsRelease, commit: string, finalDiffId: string): Readonly<Record<string, string>> {
  const common = {
    'containers.bootc': '1',
    'org.opencontainers.image.revision': sha256('revision').slice(0, 40),
    'org.opencontainers.image.source': 'https://github.com/openshift/os',
    'ostree.bootable': 'true',
    'ostree.commit': commit,
    'ostree.final-diffid': finalDiffId,
    'ostree.linux': release.ostreeLinux,
    'rpmostree.inputhash': sha256(`input ${release.machineOs}`),
  };
  if (release.format === 'chunked') {
    return {
      'coreos-assembler.image-config-checksum': sha256(`config ${release.machineOs}`),
      'coreos-assembler.image-input-checksum': sha256(`inputs ${release.machineOs}`),
      ...common,
      version: release.machineOs,
    };
  }
  return {
    ...common,
    'io.openshift.build.version-display-names': 'machine-os=Red Hat Enterprise Linux CoreOS',
    'io.openshift.build.versions': `machine-os=${release.machineOs}`,
    'io.openshift.metalayer': 'true',
    'io.openshift.os.streamclass': release.streamClass,
    'org.opencontainers.image.version': release.machineOs,
  };
}

function directory(path: string): TarEntry {
  return { path, type: 'directory', mode: 0o755 };
}

/** Names the content of a layer: paths, modes and bytes. */
function keyOf(kind: string, files: readonly OsFile[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file.path} ${file.mode} ${file.target ?? ''}\n`);
    if (file.contentKey !== undefined) hash.update(file.contentKey);
    else if (file.content !== undefined) hash.update(createHash('sha256').update(file.content()).digest());
  }
  return `${kind} ${hash.digest('hex')}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
