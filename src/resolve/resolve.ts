import type { KernelFlavour } from '../spec/kernel-release.ts';
import { componentsOf, type Components, type FetchedManifests, type OpenedComponent } from './components.ts';
import { requireMatch } from './cross-check.ts';
import { toolkitFacts } from './driver-toolkit.ts';
import { kernelsOf } from './flavours.ts';
import { findMachineOs, machineOsVersion } from './machine-os.ts';
import { openReleases, type OpenedRelease, type OpenReleaseRequest, type ResolveIo } from './open-release.ts';
import { osKernel } from './os-kernel.ts';
import type { Payload } from './payload.ts';
import {
  defaultStream,
  imagesOfStream,
  STREAM_CLASS,
  type StreamCandidate,
  streamCandidates,
  streamUnknown,
} from './streams.ts';
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
  const releases = await openReleases(request, io);
  const manifests: FetchedManifests = new Map();
  const targets = await Promise.all(
    releases.map((release) =>
      resolveRelease({ release, components: componentsOf(release, manifests, io) }, request, io),
    ),
  );
  return targets.flat();
}

interface Parts {
  readonly release: OpenedRelease;
  readonly components: Components;
}

async function resolveRelease(
  parts: Parts,
  request: ResolveRequest,
  io: ResolveIo,
): Promise<readonly Target[]> {
  const wanted: readonly (string | undefined)[] =
    request.streams === undefined || request.streams.length === 0
      ? [undefined]
      : [...new Set(request.streams)];
  return Promise.all(
    wanted.map(async (stream) => {
      const chosen = await chooseStream(parts.release.payload, stream, parts.components);
      return resolveStream({ ...parts, chosen }, request, io);
    }),
  );
}

interface ChosenStream extends StreamCandidate {
  readonly opened: OpenedComponent;
}

/** Annotations decide first, then the label of the image, then names. Only images that may be the one are opened. */
async function chooseStream(
  payload: Payload,
  wanted: string | undefined,
  components: Components,
): Promise<ChosenStream> {
  const candidates = streamCandidates(payload);
  const [only] = candidates;
  const isOnly = candidates.length === 1;
  const stream = wanted ?? (isOnly ? only?.stream : undefined) ?? defaultStream(payload);
  const byLikelihood = candidates
    .filter((candidate) => !candidate.isAnnotated || candidate.stream === stream)
    .toSorted((a, b) => Number(b.stream === stream) - Number(a.stream === stream));
  for (const candidate of byLikelihood) {
    const opened = await components.open(candidate.osImage);
    const labelled = opened.image.config.labels[STREAM_CLASS] ?? '';
    const isCertain = candidate.isAnnotated || labelled !== '';
    const actual = candidate.isAnnotated || labelled === '' ? candidate.stream : labelled;
    if (actual === stream || (wanted === undefined && isOnly)) {
      return { ...candidate, stream: actual, isAnnotated: isCertain, opened };
    }
  }
  throw streamUnknown(payload, `it has none called ${JSON.stringify(stream.slice(0, 100))}`);
}

async function resolveStream(
  { release, components, chosen }: Parts & { readonly chosen: ChosenStream },
  request: ResolveRequest,
  io: ResolveIo,
): Promise<Target> {
  const { arch, payload } = release;
  const { stream, opened: os } = chosen;
  const images = imagesOfStream(payload, chosen);
  const [kernel, { toolkit, facts }, extensions] = await Promise.all([
    osKernel(os.image, arch, io),
    components
      .open(images.driverToolkit)
      .then(async (toolkit) => ({ toolkit, facts: await toolkitFacts(toolkit.image, arch, io) })),
    images.extensions === undefined ? undefined : components.locate(images.extensions),
  ]);
  const machineOs = machineOsVersion(chosen.osImage, payload.components, os.image.config.labels);
  const osRhel = findMachineOs(machineOs)?.rhelVersion ?? '';
  requireMatch(`${payload.version} (${arch}, ${stream})`, {
    osImage: {
      reference: os.resolved.reference,
      kernel: kernel.release,
      stream: chosen.isAnnotated ? stream : '',
      rhelVersion: osRhel,
    },
    driverToolkit: {
      reference: toolkit.resolved.reference,
      kernel: facts.kernel,
      stream: toolkit.image.config.labels[STREAM_CLASS] ?? '',
      rhelVersion: facts.rhelVersion,
    },
  });
  const digest = release.image.manifest.digest;
  return {
    release: { version: payload.version, reference: release.reference, digest },
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
