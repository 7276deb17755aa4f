import type { BuiltImage } from '../../src/build-image.ts';
import type { Failure } from '../../src/resolve-set.ts';
import { CompileError, KmodError } from '../../src/errors.ts';
import { formatReference } from '../../src/oci/reference.ts';
import { targetId } from '../../src/plan/plan.ts';
import type { Check, TargetReport } from '../../src/verify/report.ts';
import { formatSize } from './sizes.ts';
import { formatFields } from './table.ts';
import { targetData } from './target-text.ts';

/** A layered image as programs see it. */
export function builtImageData(built: BuiltImage): Readonly<Record<string, unknown>> {
  const { target, image, digest, tag, layer, provenance, proof, copiedBytes, wasThere, manifests } = built;
  return {
    id: targetId(target),
    target: targetData(target),
    image: formatReference(image),
    digest,
    tag,
    wasThere,
    copiedBytes,
    layer: layer ?? null,
    drivers: provenance.drivers,
    signers: provenance.signers,
    inputHash: provenance.inputHash,
    proof: proof ?? null,
    manifests,
  };
}

/** A layered image as people see it. */
export function builtImageText(built: BuiltImage): string {
  const { target, image, tag, layer, provenance, proof, wasThere, manifests } = built;
  const modules = provenance.drivers.map((driver) => {
    const names = driver.modules.map(({ name }) => name).join(', ');
    return [`driver ${driver.name}`, `${driver.version}: ${names}`] as const;
  });
  return `${targetId(target)}\n${formatFields(
    [
      ['image', formatReference(image)],
      ['tag', wasThere ? `${tag} (it was there already)` : tag],
      ['kernel', target.osImage.kernel],
      ...modules,
      ...signedBy(provenance.signers),
      ...(layer === undefined ? [] : layerFields(layer)),
      ...(proof === undefined ? [] : [['proof', proofLine(proof)] as const]),
      ...(layer?.overridden ?? []).map(
        ({ winner, loser }) => ['replaces', `${loser} (by ${winner})`] as const,
      ),
      ...manifests.map(({ fileName }) => ['manifest', fileName] as const),
    ],
    '  ',
  )}`;
}

function layerFields(layer: NonNullable<BuiltImage['layer']>): readonly (readonly [string, string])[] {
  const { files, sizeBytes, indexes } = layer;
  return [
    ['layer', `${files.length} files, ${formatSize(sizeBytes)}, ${indexes.length} indexes of the kernel`],
  ];
}

/** One line: what the proof says, and how much of it is not a plain pass. */
export function proofLine({ modules, statement }: TargetReport): string {
  const checks = modules.flatMap((module) => module.checks);
  const count = (status: Check['status'], noun: string): string[] => {
    const found = checks.filter((check) => check.status === status).length;
    return found === 0 ? [] : [`${found} ${noun}${found === 1 ? '' : 's'}`];
  };
  const remarks = [...count('warn', 'warning'), ...count('skip', 'check').map((text) => `${text} not made`)];
  const what = modules.length === 1 ? '1 module' : `each of ${modules.length} modules`;
  return `${what} ${statement}${remarks.length === 0 ? '' : ` (${remarks.join(', ')})`}`;
}

export function signedBy(
  signers: BuiltImage['provenance']['signers'],
): readonly (readonly [string, string])[] {
  if (signers.length === 0) return [['signed by', 'nobody']];
  return signers.map(({ subject, serial, hash }, index) => [
    index === 0 ? 'signed by' : 'and by',
    `${subject} ${serial} (${hash})`,
  ]);
}

/** What could not be done, as programs see it. */
export function failureData({ what, error }: Failure): Readonly<Record<string, unknown>> {
  return {
    what,
    code: error instanceof KmodError ? error.code : null,
    message: error instanceof Error ? error.message : String(error),
    hint: error instanceof KmodError ? (error.hint ?? null) : null,
    logFile: error instanceof CompileError ? (error.logFile ?? null) : null,
  };
}
