import { findArch } from '../../../oci/arch.ts';
import { MEDIA_TYPES } from '../../../oci/media-type.ts';
import { finalLayer } from '../../../layer/layer-order.ts';
import type { Finding } from '../../report.ts';
import type { LintInput } from '../lint-input.ts';

/** More layers than an overlay mount of every runtime takes. */
const MAX_LAYERS = 120;

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Rules on manifest and config of an OS image.
 *
 * @see ostree-ext, `container/store.rs`, `parse_manifest_layout()`; bootc, `require_bootable`
 */
export function configRules(input: LintInput): Finding[] {
  return [
    ...layersMismatch(input),
    ...diffIds(input),
    ...finalDiffId(input),
    ...layerOrder(input),
    ...labels(input),
    ...mediaTypes(input),
    ...others(input),
  ];
}

function layersMismatch({ image: { manifest, config } }: LintInput): Finding[] {
  const steps = config.history.filter(({ isEmpty }) => !isEmpty).length;
  const layers = manifest.layers.length;
  if (layers === config.diffIds.length && layers === steps) return [];
  const isFatal = layers !== config.diffIds.length;
  return [
    {
      rule: 'layers-mismatch',
      severity: isFatal || steps > 0 ? 'error' : 'warning',
      message: `the manifest has ${layers} layers, the config ${config.diffIds.length} diff_ids and ${steps} steps of history: ${isFatal ? 'nodes cannot tell which layers were added, and refuse the image' : 'registries such as Quay refuse it, and nodes show layers under wrong names'}`,
      hint: 'Push the image again with a current tool, without squashing or converting it.',
    },
  ];
}

function diffIds({ tree }: LintInput): Finding[] {
  return tree.layers.flatMap(({ descriptor, diffId, actualDiffId }): Finding[] =>
    actualDiffId === undefined || diffId === undefined || actualDiffId === diffId
      ? []
      : [
          {
            rule: 'diff-id-mismatch',
            severity: 'error',
            layer: descriptor.digest,
            message: `the layer unpacks to ${actualDiffId}, the config says ${diffId}: layers are in another order than their diff_ids, or the config is of another image, and the import fails`,
            hint: 'Build the image again; layers and diff_ids stand one to one, in the same order.',
          },
        ],
  );
}

function finalDiffId({ image }: LintInput): Finding[] {
  const { labels } = image.config;
  if (labels['ostree.final-diffid'] === undefined) {
    const isBootc = labels['containers.bootc'] !== undefined;
    return [
      {
        rule: 'final-diffid-missing',
        severity: isBootc && labels['ostree.commit'] === undefined ? 'warning' : 'error',
        message: `the label ostree.final-diffid is missing: ${isBootc ? 'nodes whose rpm-ostree is older than bootc 1.1.3 refuse the image' : 'nodes refuse the image, since they do not find the commit in it'}`,
        hint: 'Keep the labels of the base: build with FROM, without --squash-all and without flattening.',
      },
    ];
  }
  if (finalLayer(image) >= 0) return [];
  return [
    {
      rule: 'final-diffid-dangling',
      severity: 'error',
      message: `ostree.final-diffid names ${labels['ostree.final-diffid']}, which is no layer of the image: nodes refuse it, as layers of the base were squashed or rewritten`,
      hint: 'Build with FROM and without --squash-all; do not convert or recompress layers of the base.',
    },
  ];
}

function layerOrder({ image, boundary }: LintInput): Finding[] {
  const final = finalLayer(image);
  const steps = image.config.history.filter(({ isEmpty }) => !isEmpty);
  const ours = steps.findIndex(({ createdBy }) => createdBy.startsWith('kmodlayer: '));
  const at = ours >= 0 ? ours : (boundary?.baseLayers ?? image.manifest.layers.length);
  if (at > final) return [];
  return [
    {
      rule: 'layer-order',
      severity: 'error',
      layer: image.manifest.layers[at]?.digest,
      message:
        'a layer that was added stands at or before the one that ostree.final-diffid names: nodes take it for a part of the commit, look for objects in it, and check none of its files out',
      hint: 'Add layers on top of the base, and keep the label as the base has it.',
    },
  ];
}

function labels({ image: { config }, kernel, baseKernel }: LintInput): Finding[] {
  const findings: Finding[] = [];
  if (config.labels['ostree.bootable'] === undefined && config.labels['containers.bootc'] === undefined) {
    findings.push({
      rule: 'bootable-label-missing',
      severity: 'error',
      message:
        'neither ostree.bootable nor containers.bootc is a label: nodes refuse the image as one that does not boot',
      hint: 'Keep the labels of the base.',
    });
  }
  const said = config.labels['ostree.linux'];
  // From 4.22 on the label is the word "true".
  if (said === undefined || said === 'true' || kernel === undefined || said === kernel) return findings;
  findings.push({
    rule: 'linux-label-disagrees',
    severity: 'warning',
    message: `ostree.linux says ${said}, the image boots ${kernel}: tools that believe the label build modules for a kernel that no node has`,
    hint:
      baseKernel === kernel
        ? 'Take the label over from the base.'
        : 'Set the label when a layer replaces the kernel, or let tools look into the image.',
  });
  return findings;
}

function mediaTypes({ image: { manifest }, tree }: LintInput): Finding[] {
  const families = new Set(
    manifest.layers.flatMap(({ mediaType }) =>
      mediaType.startsWith('application/vnd.docker.')
        ? ['docker']
        : mediaType.startsWith('application/vnd.oci.')
          ? ['oci']
          : [],
    ),
  );
  const findings: Finding[] = [];
  if (families.size > 1 || (families.size === 1 && !families.has(manifest.family))) {
    findings.push({
      rule: 'mixed-media-types',
      severity: 'error',
      message: `a manifest of the ${manifest.family === 'oci' ? 'OCI' : 'Docker'} family has layers of the other one: registries and nodes refuse it`,
      hint: 'Build in the format of the base: podman build --format oci or --format docker.',
    });
  }
  const zstd: readonly string[] = [MEDIA_TYPES.oci.layerZstd, MEDIA_TYPES.docker.layerZstd];
  const packed = tree.layers.filter(({ descriptor }) => zstd.includes(descriptor.mediaType));
  if (packed.length > 0) {
    findings.push({
      rule: 'layer-compression',
      severity: 'warning',
      layer: packed[0]?.descriptor.digest,
      message: `${packed.length} of the layers that were added are packed with zstd: nodes with an rpm-ostree that reads gzip alone cannot import them`,
      hint: 'Push with --compression-format gzip.',
    });
  }
  return findings;
}

function others({ image: { manifest, config } }: LintInput): Finding[] {
  const findings: Finding[] = [];
  if (manifest.layers.length > MAX_LAYERS) {
    findings.push({
      rule: 'too-many-layers',
      severity: 'warning',
      message: `the image has ${manifest.layers.length} layers: podman on a node may not be able to mount more than about ${MAX_LAYERS}, and updates run from the image fail`,
      hint: 'Put what is added into fewer steps.',
    });
  }
  if (findArch(config.architecture) === undefined) {
    findings.push({
      rule: 'architecture-missing',
      severity: 'error',
      message: `the config names ${config.architecture === '' ? 'no architecture' : `the architecture ${config.architecture}`}: nodes refuse an image that is not for theirs`,
      hint: 'Build for linux/amd64, linux/arm64, linux/ppc64le or linux/s390x.',
    });
  }
  const { created } = config.json;
  if (created !== undefined && !(typeof created === 'string' && RFC_3339.test(created))) {
    findings.push({
      rule: 'created-invalid',
      severity: 'warning',
      message: `the time of creation is ${JSON.stringify(created)}, which is no RFC 3339: nodes take the time of the commit from it`,
      hint: 'Write a time such as 2026-01-31T12:00:00Z.',
    });
  }
  return findings;
}
