import { ResolveError } from '../errors.ts';
import type { Arch } from '../oci/arch.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { OpenedImage } from '../oci/open-image.ts';
import { formatReference, pinned } from '../oci/reference.ts';
import { type KernelRelease, parseKernelRelease } from '../spec/kernel-release.ts';
import { findKernelRelease, withArch, withoutFlavour } from './kernel-name.ts';
import { learn, type LayerSource, readLayerFile } from './layer-search.ts';
import type { KernelSource } from './target.ts';

/** What a driver-toolkit is for. */
export interface ToolkitFacts {
  readonly kernel: KernelRelease;
  /** Undefined when the toolkit has no real-time kernel. */
  readonly rtKernel: KernelRelease | undefined;
  /** `9.4`; empty when the toolkit does not say. */
  readonly rhelVersion: string;
}

const RELEASE_JSON = 'etc/driver-toolkit-release.json';
const MAX_RELEASE_JSON_BYTES = 64 * 1024;

/** The file stands in the last layer as it was built; build systems put labels and their own files after it. */
const LIKELY_LAYERS = 4;

/**
 * What the driver-toolkit says it is for: by its file `/etc/driver-toolkit-release.json` in one of the last layers, by
 * labels, by the file in any other layer.
 *
 * @throws {ResolveError} `KERNEL_UNKNOWN`; {OciError} and {RegistryError} when a layer cannot be read.
 */
export async function toolkitFacts(
  image: OpenedImage,
  arch: Arch,
  source: Omit<LayerSource, 'repository'>,
): Promise<ToolkitFacts & { readonly source: KernelSource }> {
  const layers: LayerSource = { ...source, repository: image.repository };
  const { likely, others } = layerOrder(image);
  const described = await factsOfFile(likely, arch, layers);
  if (described !== undefined) return { ...described, source: 'driver-toolkit-release.json' };
  const labelled = toolkitFactsOfLabels(image.config.labels, arch);
  if (labelled !== undefined) return { ...labelled, source: 'driver-toolkit-labels' };
  const found = await factsOfFile(others, arch, layers);
  if (found !== undefined) return { ...found, source: 'driver-toolkit-release.json' };
  const name = formatReference(pinned(image.repository.reference, image.manifest.digest));
  throw new ResolveError(
    'KERNEL_UNKNOWN',
    `Cannot tell the kernel of driver-toolkit ${name}: no layer has a usable /${RELEASE_JSON}`,
    { hint: 'Check that this is a driver-toolkit image, and that its labels name kernel-version.' },
  );
}

/**
 * Reads `driver-toolkit-release.json`. Old files leave out the architecture, some have no `RT_KERNEL_VERSION` or an
 * error message of rpm in its place, and `RHEL_VERSION` may be empty.
 *
 * @returns Undefined when the file names no kernel for the architecture.
 */
export function parseToolkitRelease(bytes: Uint8Array, arch: Arch): ToolkitFacts | undefined {
  if (bytes.length > MAX_RELEASE_JSON_BYTES) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const { KERNEL_VERSION, RT_KERNEL_VERSION, RHEL_VERSION } = json as Record<string, unknown>;
  return makeFacts({ kernel: KERNEL_VERSION, rt: RT_KERNEL_VERSION, rhel: RHEL_VERSION }, arch);
}

/** The same by labels, which newer images have; they may be empty. */
export function toolkitFactsOfLabels(
  labels: Readonly<Record<string, string>>,
  arch: Arch,
): ToolkitFacts | undefined {
  return makeFacts({ kernel: labels['kernel-version'], rt: labels['kernel-rt-version'], rhel: '' }, arch);
}

function makeFacts(
  texts: { readonly kernel: unknown; readonly rt: unknown; readonly rhel: unknown },
  arch: Arch,
): ToolkitFacts | undefined {
  const kernel = findToolkitKernel(texts.kernel, arch);
  if (kernel === undefined) return undefined;
  const { rhel } = texts;
  return {
    kernel,
    rtKernel: realTimeKernel(findToolkitKernel(texts.rt, arch), kernel),
    rhelVersion: typeof rhel === 'string' && /^\d{1,3}(?:\.\d{1,3})?$/.test(rhel) ? rhel : '',
  };
}

function findToolkitKernel(text: unknown, arch: Arch): KernelRelease | undefined {
  return typeof text === 'string' ? findKernelRelease(withArch(text, arch), arch) : undefined;
}

/** A real-time kernel of the same source differs from the default one by its suffix alone, which some files leave out. */
function realTimeKernel(rt: KernelRelease | undefined, kernel: KernelRelease): KernelRelease | undefined {
  if (rt === undefined || withoutFlavour(rt) !== kernel) return rt;
  return parseKernelRelease(`${kernel}+rt`);
}

async function factsOfFile(
  layers: readonly Descriptor[],
  arch: Arch,
  source: LayerSource,
): Promise<ToolkitFacts | undefined> {
  for (const layer of layers) {
    const text = await learn(source, { topic: 'driver-toolkit-release-v1', layer }, async () => {
      const { value, isWhole } = await readLayerFile(source, layer, RELEASE_JSON);
      const isSane = value !== undefined && value.length <= MAX_RELEASE_JSON_BYTES;
      return { value: isSane ? value.toString('utf8') : '', isWhole };
    });
    if (text === '') continue;
    const facts = parseToolkitRelease(Buffer.from(text), arch);
    if (facts !== undefined) return facts;
  }
  return undefined;
}

/** The layer whose build step wrote the file, then the last ones from small to large; the others from the newest on. */
function layerOrder({ manifest, config }: OpenedImage): {
  readonly likely: readonly Descriptor[];
  readonly others: readonly Descriptor[];
} {
  const steps = config.history.filter(({ isEmpty }) => !isEmpty);
  const named = manifest.layers
    .filter((_, at) => steps[at]?.createdBy.includes(RELEASE_JSON) === true)
    .toReversed();
  const last = manifest.layers.slice(-LIKELY_LAYERS).toSorted((a, b) => a.sizeBytes - b.sizeBytes);
  const likely = [...new Set([...named, ...last])];
  return { likely, others: manifest.layers.toReversed().filter((layer) => !likely.includes(layer)) };
}
