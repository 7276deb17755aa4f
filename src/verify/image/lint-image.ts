import type { Io } from '../../io.ts';
import { finalLayer } from '../../layer/layer-order.ts';
import type { ImageConfig } from '../../oci/config.ts';
import type { OpenedImage } from '../../oci/open-image.ts';
import type { Finding } from '../report.ts';
import { readAddedLayers } from './added-layer.ts';
import { type AddedTree, makeAddedTree } from './added-tree.ts';
import { type Boundary, findBoundary } from './boundary.ts';
import { inOrder, lintOsImage, lintWithoutLayers } from './lint.ts';
import { type OpenedLayers, openLayers } from './open-layers.ts';
import { kmodImageRules } from './rules/kmod-image-rules.ts';

export interface LintImageOptions {
  /** The image that it was built on, for one that does not say. */
  readonly base?: OpenedImage | undefined;
  /** How many layers were added, for one that does not say. */
  readonly layers?: number | undefined;
}

/** What an image is, what was read of it, and which rules it breaks. */
export type LintedImage =
  | { readonly kind: 'os'; readonly opened: OpenedLayers; readonly findings: readonly Finding[] }
  /** Nothing says where the base of the OS image ends: no layer was read. */
  | { readonly kind: 'unknown-base'; readonly findings: readonly Finding[] }
  | { readonly kind: 'kmod'; readonly tree: AddedTree; readonly findings: readonly Finding[] };

const OS_LABELS = ['ostree.bootable', 'ostree.commit', 'ostree.final-diffid', 'containers.bootc'];

/** Says whether an image claims to be one that nodes boot. */
export function isOsImage({ labels }: ImageConfig): boolean {
  return OS_LABELS.some((label) => labels[label] !== undefined);
}

/**
 * Holds an image to the rules of layers: an OS image, of which only the layers that were added are read and what they
 * stand on, or a kmod image, which is read whole.
 *
 * @throws {OciError} and {RegistryError} when something cannot be had.
 */
export async function lintImage(
  image: OpenedImage,
  options: LintImageOptions,
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<LintedImage> {
  const boundary = findBoundary(image, options);
  if (!isOsImage(image.config) && (options.base === undefined || boundary === undefined)) {
    const tree = makeAddedTree(await readAddedLayers(image, 0, io));
    if (!hasKernel(tree)) return { kind: 'kmod', tree, findings: inOrder(kmodImageRules(tree)) };
  }
  return boundary === undefined ? unknownBase(image, options) : lintAdded(image, boundary, io);
}

async function lintAdded(
  image: OpenedImage,
  boundary: Boundary,
  io: Pick<Io, 'cache' | 'report' | 'signal'>,
): Promise<LintedImage> {
  // A layer that stands inside the commit is one finding; what else is there belongs to the commit.
  const baseLayers = Math.max(boundary.baseLayers, finalLayer(image) + 1);
  const opened = await openLayers(image, { ...boundary, baseLayers }, io);
  return { kind: 'os', opened, findings: lintOsImage({ ...opened, boundary }) };
}

/** An OS image that has lost its labels. */
function hasKernel(tree: AddedTree): boolean {
  return [...tree.entries.keys()].some((path) => /^usr\/lib\/modules\/[^/]+\/vmlinuz$/.test(path));
}

function unknownBase(image: OpenedImage, { base }: LintImageOptions): LintedImage {
  const finding: Finding = {
    rule: 'base-unknown',
    severity: 'error',
    message:
      base === undefined
        ? 'nothing says where the base of the image ends, so that its layers could not be looked at'
        : `the image was not built on ${base.manifest.digest}: its layers are others`,
    hint:
      base === undefined ? 'Say it with --base IMAGE or --layers N.' : 'Name the image that it was built on.',
  };
  return { kind: 'unknown-base', findings: inOrder([finding, ...lintWithoutLayers(image)]) };
}
