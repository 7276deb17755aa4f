import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World, WorldRelease, WorldStream } from '../support/world.ts';
import { writeDriverToolkit } from './driver-toolkit.ts';
import { isWorldSeed, makeKernelTree } from './kernel-tree.ts';
import { type Image, type ImageLayer, Layout } from './layout.ts';
import { writeOsImage } from './os-image.ts';
import { fillerChunks, noise, osComponents } from './os-packages.ts';
import { type PayloadStream, writePayload } from './payload.ts';
import { fillRegistry, type Push } from './registry-fill.ts';
import { type ReleasePlan, RELEASES, type StreamPlan, type WorldKernels } from './releases.ts';
import { entriesOf, fileEntry, type TarEntry } from './tar.ts';

const RELEASE_REPOSITORY = 'openshift-release-dev/ocp-release';
const COMPONENT_REPOSITORY = 'openshift-release-dev/ocp-v4.0-art-dev';
const MIRROR_RELEASES = 'mirror/openshift/release-images';
const MIRROR_COMPONENTS = 'mirror/openshift/release';
/** The release that also exists with the names of the real registry, which only mirrors serve. */
const MIRRORED = '4.18.4';
const RT_SENTENCE = 'package kernel-rt-core is not installed';

/** Usage: `build-world.ts WORLD HOST PREVIOUS NEWEST NEXT [--bench]`; `setup.sh` calls it. */
async function main(args: readonly string[]): Promise<void> {
  const [directory, host, previous, newest, next] = args;
  if (directory === undefined || host === undefined || previous === undefined)
    throw new Error('Run setup.sh');
  if (newest === undefined || next === undefined) throw new Error('Run setup.sh');
  const builder = new WorldBuilder(directory, host, { previous, newest, next });
  const releases: WorldRelease[] = [];
  for (const plan of RELEASES) {
    if (plan.isBench === true && !args.includes('--bench')) continue;
    releases.push(await builder.buildRelease(plan));
    console.error(`[world] release ${plan.version}`);
  }
  await fillRegistry(directory, host, builder.pushes);
  const world: World = {
    host,
    releaseRepository: `${host}/${RELEASE_REPOSITORY}`,
    mirrored: { version: MIRRORED, releaseRepository: `quay.io/${RELEASE_REPOSITORY}` },
    releases,
    kernels: [previous, newest, next],
  };
  writeFileSync(join(directory, 'idms.yaml'), mirrorSet(host));
  writeFileSync(
    join(directory, 'graph.json'),
    JSON.stringify(graphOf(releases, world.releaseRepository), null, 2),
  );
  writeFileSync(join(directory, 'world.json'), `${JSON.stringify(world, null, 2)}\n`);
}

class WorldBuilder {
  readonly pushes: Push[] = [];
  readonly #directory: string;
  readonly #host: string;
  readonly #kernels: WorldKernels;
  readonly #layout: Layout;

  constructor(directory: string, host: string, kernels: WorldKernels) {
    this.#directory = directory;
    this.#host = host;
    this.#kernels = kernels;
    this.#layout = new Layout(join(directory, 'layout'));
  }

  async buildRelease(plan: ReleasePlan): Promise<WorldRelease> {
    const streams: WorldStream[] = [];
    const images: PayloadStream[] = [];
    for (const stream of plan.streams) {
      const [made, payload] = await this.#buildStream(plan, stream);
      streams.push(made);
      images.push(payload);
    }
    const tag = `${plan.version}-x86_64`;
    const payload = await this.#writePayload(plan, images, `${this.#host}/${COMPONENT_REPOSITORY}`, tag);
    this.pushes.push({ digest: payload.digest, to: `${RELEASE_REPOSITORY}:${tag}` });
    if (plan.version === MIRRORED) {
      const quay = `quay.io/${COMPONENT_REPOSITORY}`;
      const mirrored = await this.#writePayload(plan, images, quay, `mirrored-${tag}`);
      this.pushes.push({ digest: mirrored.digest, to: `${MIRROR_RELEASES}:${tag}` });
    }
    return {
      version: plan.version,
      pullspec: `${this.#host}/${RELEASE_REPOSITORY}:${tag}`,
      digest: payload.digest,
      mediaType: payload.mediaType,
      isBench: plan.isBench === true,
      streams,
    };
  }

  async #buildStream(plan: ReleasePlan, stream: StreamPlan): Promise<[WorldStream, PayloadStream]> {
    const { streamClass, machineOs, rhelVersion } = stream;
    const kernelRelease = this.#kernels[stream.kernel];
    const suffix = streamClass === 'rhel-10' ? '-10' : '';
    const name = (component: string): string => `${plan.version}-x86_64-${component}`;
    const osName = name(`rhel-coreos${suffix}`);
    const osImage = await writeOsImage({
      layout: this.#layout,
      kernelTree: await this.#kernelTree(kernelRelease, plan.isBench === true),
      components: osComponents(join(this.#directory, 'os')),
      ...(plan.isBench === true ? { filler: fillerChunks(36, 1_150, 80_000_000) } : {}),
      name: osName,
      release: {
        ...{ version: plan.version, format: plan.format, family: plan.family, created: plan.created },
        ...{ machineOs, rhelVersion, streamClass, kernelRelease },
        ostreeLinux: plan.format === 'chunked' ? kernelRelease : 'true',
      },
    });
    const toolkitName = name(`driver-toolkit${suffix}`);
    const toolkitKernel = stream.driverToolkitKernel ?? stream.kernel;
    const driverToolkit = await this.#buildDriverToolkit(plan, stream, toolkitKernel, toolkitName);
    const extensionsName = name(`rhel-coreos${suffix}-extensions`);
    const extensions = await this.#buildExtensions(plan, kernelRelease, extensionsName);
    this.#pushComponent(osName, osImage, plan);
    this.#pushComponent(toolkitName, driverToolkit, plan);
    this.#pushComponent(extensionsName, extensions, plan);
    const pullspec = (image: Image): string => `${this.#host}/${COMPONENT_REPOSITORY}@${image.digest}`;
    return [
      {
        name: streamClass,
        format: plan.format,
        osTag: `rhel-coreos${suffix}`,
        osImage: pullspec(osImage),
        driverToolkit: pullspec(driverToolkit),
        extensions: pullspec(extensions),
        kernelRelease,
        driverToolkitKernelRelease: this.#kernels[toolkitKernel],
        rtKernelRelease: stream.rt === 'kernel' ? rtOf(kernelRelease) : undefined,
        machineOs,
        rhelVersion,
      },
      {
        ...{ streamClass, machineOs },
        osImage: osImage.digest,
        extensions: extensions.digest,
        driverToolkit: driverToolkit.digest,
      },
    ];
  }

  async #kernelTree(kernelRelease: string, isBench: boolean): Promise<string> {
    const to = join(this.#directory, 'trees', isBench ? `${kernelRelease}-whole` : kernelRelease);
    await makeKernelTree({
      packages: join(this.#directory, 'kernels', kernelRelease),
      kernelRelease,
      isSeed: isBench ? () => true : isWorldSeed,
      to,
      ...(isBench ? { initramfsPadding: noise('initramfs', 90_000_000) } : {}),
    });
    return to;
  }

  async #buildDriverToolkit(
    plan: ReleasePlan,
    stream: StreamPlan,
    kernel: keyof WorldKernels,
    name: string,
  ): Promise<Image> {
    const kernelRelease = this.#kernels[kernel];
    const rtKernels = { kernel: rtOf(kernelRelease), sentence: RT_SENTENCE, none: undefined };
    const layers: ImageLayer[] = [
      {
        layer: await this.#layout.writeTarLayer('toolchain', join(this.#directory, 'toolchain.tar')),
        createdBy: '/bin/sh -c dnf install -y gcc make kmod xz elfutils-libelf-devel',
      },
    ];
    const releases = [kernelRelease, ...(stream.rt === 'kernel' ? [`${kernelRelease}-rt`] : [])];
    for (const release of releases) {
      const packages = join(this.#directory, 'kernels', release);
      layers.push({
        layer: await this.#layout.writeLayer(`headers ${release}`, () => headerEntries(packages)),
        createdBy: `/bin/sh -c dnf install -y kernel-devel-${release} kernel-headers-${release}`,
      });
    }
    return writeDriverToolkit({
      ...{ layout: this.#layout, layers, kernelRelease, name },
      ...{ version: plan.version, family: plan.family, created: plan.created },
      ...{ rhelVersion: stream.rhelVersion, streamClass: stream.streamClass },
      rtKernelRelease: rtKernels[stream.rt],
      hasKernelLabels: plan.version.startsWith('4.22.'),
    });
  }

  async #buildExtensions(plan: ReleasePlan, kernelRelease: string, name: string): Promise<Image> {
    const text = JSON.stringify({ 'kernel-devel': kernelRelease, usbguard: '1.0.0-15.el9.x86_64' });
    const entries = [fileEntry('usr/share/rpm-ostree/extensions.json', text)];
    return this.#layout.writeImage({
      layers: [
        { layer: await this.#layout.writeLayer(text, () => entries), createdBy: 'COPY extensions.json' },
      ],
      labels: { 'io.openshift.os.extensions': 'true' },
      ...{ family: plan.family, created: plan.created, name },
    });
  }

  async #writePayload(
    plan: ReleasePlan,
    streams: readonly PayloadStream[],
    repository: string,
    name: string,
  ): Promise<Image> {
    const operator = fileEntry('usr/bin/cluster-version-operator', noise('cvo', 200_000), 0o755);
    const base = await this.#layout.writeLayer('cluster-version-operator', () => [operator]);
    return writePayload({
      ...{ layout: this.#layout, version: plan.version, previous: plan.previous, repository, streams, name },
      base: [{ layer: base, createdBy: 'COPY cluster-version-operator /usr/bin/' }],
      family: 'docker',
      created: plan.created,
    });
  }

  #pushComponent(name: string, { digest }: Image, plan: ReleasePlan): void {
    this.pushes.push({ digest, to: `${COMPONENT_REPOSITORY}:${name}` });
    if (plan.version === MIRRORED) this.pushes.push({ digest, to: `${MIRROR_COMPONENTS}:${name}` });
  }
}

function rtOf(kernelRelease: string): string {
  return kernelRelease.replace(/-amd64$/, '-rt-amd64');
}

/** A kernel's headers where Debian has them, and links where RHEL has them. */
function* headerEntries(packages: string): Generator<TarEntry> {
  for (const path of ['usr', 'usr/src', 'usr/src/kernels', 'usr/lib', 'usr/lib/modules']) {
    yield { path, type: 'directory', mode: 0o755 };
  }
  for (const entry of entriesOf(join(packages, 'usr'))) {
    if (!/^(?:src\/linux-headers-|lib\/linux-kbuild-)/.test(entry.path)) continue;
    yield { ...entry, path: `usr/${entry.path}` };
    const release = /^src\/linux-headers-([^/]+-amd64)$/.exec(entry.path)?.[1];
    if (release === undefined) continue;
    const modules = `usr/lib/modules/${release}`;
    yield { path: modules, type: 'directory', mode: 0o755 };
    yield {
      path: `${modules}/build`,
      type: 'symlink',
      mode: 0o777,
      linkPath: `/usr/src/linux-headers-${release}`,
    };
    yield {
      path: `usr/src/kernels/${release}`,
      type: 'symlink',
      mode: 0o777,
      linkPath: `../linux-headers-${release}`,
    };
  }
}

function mirrorSet(host: string): string {
  return [
    'apiVersion: config.openshift.io/v1',
    'kind: ImageDigestMirrorSet',
    'metadata: { name: world }',
    'spec:',
    '  imageDigestMirrors:',
    `  - source: quay.io/${COMPONENT_REPOSITORY}`,
    `    mirrors: [${host}/${MIRROR_COMPONENTS}]`,
    `  - source: quay.io/${RELEASE_REPOSITORY}`,
    `    mirrors: [${host}/${MIRROR_RELEASES}]`,
    '---',
    'apiVersion: config.openshift.io/v1',
    'kind: ImageTagMirrorSet',
    'metadata: { name: world }',
    'spec:',
    '  imageTagMirrors:',
    `  - source: quay.io/${RELEASE_REPOSITORY}`,
    `    mirrors: [${host}/${MIRROR_RELEASES}]`,
    '',
  ].join('\n');
}

/** The update graph of the releases, as the update service answers. */
function graphOf(releases: readonly WorldRelease[], repository: string): unknown {
  const channels = 'stable-4.18,stable-4.19,stable-4.22';
  const indexOf = (version: string): number => releases.findIndex((release) => release.version === version);
  return {
    version: 1,
    nodes: releases.map(({ version, digest }) => ({
      version,
      payload: `${repository}@${digest}`,
      metadata: {
        'io.openshift.upgrades.graph.release.channels': channels,
        'io.openshift.upgrades.graph.release.manifestref': digest,
        url: `https://access.redhat.com/errata/${version}`,
      },
    })),
    edges: RELEASES.flatMap((plan) =>
      plan.previous.map((previous) => [indexOf(previous), indexOf(plan.version)]),
    ).filter(([from, to]) => from !== -1 && to !== -1),
    conditionalEdges: [],
  };
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
