import type { BuiltKmodImage } from '../../src/build-kmod-image.ts';
import type { BuildResult } from '../../src/build.ts';
import { formatReference } from '../../src/oci/reference.ts';
import { targetId } from '../../src/plan/plan.ts';
import type { KmodTag } from '../../src/tag-kmod-images.ts';
import { proofLine, signedBy } from './build-text.ts';
import { formatSize } from './sizes.ts';
import { formatFields, formatTable } from './table.ts';

/** A kmod image as programs see it. */
export function builtKmodImageData(
  built: BuiltKmodImage,
  tags: readonly KmodTag[],
): Readonly<Record<string, unknown>> {
  const { unit, image, digest, tag, layer, inTree, provenance, proof, copiedBytes, wasThere } = built;
  const { kernel, arch, flavour, targets } = unit;
  return {
    ...{ id: unit.id, kernel, arch, flavour, targets: targets.map(targetId) },
    image: formatReference(image),
    digest,
    tags: [tag, ...tags.filter((one) => one.digest === digest).map((one) => one.tag)],
    wasThere,
    copiedBytes,
    layer: layer ?? null,
    inTree,
    drivers: provenance.drivers,
    signers: provenance.signers,
    inputHash: provenance.inputHash,
    proof: proof ?? null,
  };
}

/** A kmod image as people see it. */
export function builtKmodImageText(built: BuiltKmodImage): string {
  const { unit, image, tag, layer, inTree, provenance, proof, wasThere } = built;
  const modules = provenance.drivers.map((driver) => {
    const names = driver.modules.map(({ name }) => name).join(', ');
    return [`driver ${driver.name}`, `${driver.version}: ${names}`] as const;
  });
  return `${unit.id}\n${formatFields(
    [
      ['image', formatReference(image)],
      ['tag', wasThere ? `${tag} (it was there already)` : tag],
      ['for', unit.targets.map(targetId).join(', ')],
      ...modules,
      ...signedBy(provenance.signers),
      ...(layer === undefined
        ? []
        : [['layer', `${layer.files.length} files, ${formatSize(layer.sizeBytes)}`] as const]),
      ...(inTree.length === 0 ? [] : [['needs', inTree.join(', ')] as const]),
      ...(proof === undefined ? [] : [['proof', proofLine(proof)] as const]),
    ],
    '  ',
  )}`;
}

/** Names of kmod images, and what rolls them out. */
export function kmodTagsText(tags: readonly KmodTag[], manifests: BuildResult['manifests']): string {
  const names = formatTable(
    ['TAG', 'DIGEST'],
    tags.map(({ tag, digest }) => [tag, digest]),
  );
  return names + manifests.map(({ fileName }) => `manifest  ${fileName}\n`).join('');
}
