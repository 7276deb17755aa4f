import type { KernelFlavour } from '../spec/kernel-release.ts';
import { type ChosenStream, chooseStream } from './choose-stream.ts';
import { componentsOf, type Components } from './components.ts';
import { requireMatch } from './cross-check.ts';
import { toolkitFacts } from './driver-toolkit.ts';
import { kernelsOf } from './flavours.ts';
import { findMachineOs, machineOsVersion } from './machine-os.ts';
import { openReleases, type OpenedRelease, type OpenReleaseRequest, type ResolveIo } from './open-release.ts';
import { osKernel } from './os-kernel.ts';
import { makeShare, type Share } from './share.ts';
import { imagesOfStream, STREAM_CLASS } from './streams.ts';
import type { Target } from './target.ts';

/** A release, and which of its targets are wanted. */
export interface ResolveRequest extends OpenReleaseRequest {
  /**
   * A version such as `4.18.4`, one with an architecture such as `4.18.4-aarch64` or `4.18.4-multi`, a pullspec, a digest
   * in the release repository, `oci:DIR[:TAG]` or `oci-archive:FILE[:TAG]`.
   */
  readonly release: string;
  /** By default those of the image, and x86_64 for a version. */
  readonly arches?: OpenReleaseRequest['arches'];
  /** For instance `rhel-10`; by default the stream that the release installs. */
  readonly streams?: readonly string[] | undefined;
  /** By default every kernel that the release offers. */
  readonly kernels?: readonly KernelFlavour[] | undefined;
  /** Where versions are looked for; by default the public repository of OpenShift, or of OKD. */
  readonly releaseRepository?: OpenReleaseRequest['releaseRepository'];
}

/**
 * Resolves a release to digests and kernels, one target for each architecture and stream. Reads manifests, configs and
 * the layers that it must look into, most of them only in part; pulls no image and changes nothing.
 *
 * @throws {ResolveError} With any of its codes; `KERNEL_MISMATCH` when the driver-toolkit is not for the OS image.
 * @throws {RegistryError} {OciError} When an image cannot be read.
 */
export async function resolve(request: ResolveRequest, io: ResolveIo): Promise<readonly Target[]> {
  return resolveSharing(request, makeShare(), io);
}

/**
 * The same for releases that are resolved side by side.
 *
 * @param share Given to all of them: an image that they have in common is read once.
 */
export async function resolveSharing(
  request: ResolveRequest,
  share: Share,
  io: ResolveIo,
): Promise<readonly Target[]> {
  const releases = await openReleases(request, io);
  const targets = await Promise.all(
    releases.map((release) =>
      resolveRelease({ release, components: componentsOf(release, share, io), share }, request, io),
    ),
  );
  return targets.flat();
}

interface Parts {
  readonly release: OpenedRelease;
  readonly components: Components;
  readonly share: Share;
}

async function resolveRelease(
  parts: Parts,
  request: ResolveRequest,
  io: ResolveIo,
): Promise<readonly Target[]> {
  const { streams = [] } = request;
  const wanted: readonly (string | undefined)[] = streams.length === 0 ? [undefined] : [...new Set(streams)];
  return Promise.all(
    wanted.map(async (stream) => {
      const chosen = await chooseStream(parts.release.payload, stream, parts.components);
      return resolveStream({ ...parts, chosen }, request, io);
    }),
  );
}

async function resolveStream(
  { release, components, share, chosen }: Parts & { readonly chosen: ChosenStream },
  request: ResolveRequest,
  io: ResolveIo,
): Promise<Target> {
  const { arch, payload } = release;
  const images = imagesOfStream(payload, chosen);
  const [{ os, kernel, stream, isCertain }, { toolkit, facts }, extensions] = await Promise.all([
    components.open(images.osImage).then(async (os) => ({
      os,
      ...chosen.requireLabel(os.image.config.labels),
      kernel: await share(`kernel of ${os.resolved.digest} ${arch}`, () => osKernel(os.image, arch, io)),
    })),
    components.open(images.driverToolkit).then(async (toolkit) => ({
      toolkit,
      facts: await share(`facts of ${toolkit.resolved.digest} ${arch}`, () =>
        toolkitFacts(toolkit.image, arch, io),
      ),
    })),
    images.extensions === undefined ? undefined : components.locate(images.extensions),
  ]);
  const machineOs = machineOsVersion(chosen.osImage, payload.components, os.image.config.labels);
  const osRhel = findMachineOs(machineOs)?.rhelVersion ?? '';
  requireMatch(`${payload.version} (${arch}, ${stream})`, {
    osImage: {
      reference: os.resolved.reference,
      kernel: kernel.release,
      stream: isCertain ? stream : '',
      rhelVersion: osRhel,
    },
    driverToolkit: {
      reference: toolkit.resolved.reference,
      kernel: facts.kernel,
      stream: toolkit.image.config.labels[STREAM_CLASS] ?? '',
      rhelVersion: facts.rhelVersion,
    },
  });
  io.report({
    type: 'detail',
    message: `${payload.version} (${arch}, ${stream}): kernel ${kernel.release} by ${kernel.source} of ${os.resolved.name}, driver-toolkit by ${facts.source}`,
  });
  const digest = release.image.manifest.digest;
  return {
    release: {
      version: payload.version,
      reference: release.reference,
      digest,
      ...(release.signer === undefined ? {} : { signedBy: release.signer.fingerprints }),
    },
    arch,
    stream,
    osImage: { ...os.resolved, kernel: kernel.release, kernelSource: kernel.source, machineOs },
    extensions,
    driverToolkit: {
      ...toolkit.resolved,
      kernel: facts.kernel,
      rtKernel: facts.rtKernel,
      rhelVersion: facts.rhelVersion,
    },
    kernels: kernelsOf(
      { version: payload.version, arch, kernel: kernel.release, toolkit: facts },
      request.kernels,
    ),
    rhelVersion: osRhel === '' ? facts.rhelVersion : osRhel,
  };
}
