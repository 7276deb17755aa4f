import type { BuildResult } from '../../src/build.ts';
import { formatReference } from '../../src/oci/reference.ts';
import { targetId } from '../../src/plan/plan.ts';
import { builtImageData, builtImageText, failureData } from './build-text.ts';
import { builtKmodImageData, builtKmodImageText, kmodTagsText } from './kmod-image-text.ts';

/** What came of a build, as programs see it. */
export function buildData(result: BuildResult): Readonly<Record<string, unknown>> {
  const { images, kmodImages, kmodTags, manifests, compiles, failures, notBegun } = result;
  return {
    images: images.map(builtImageData),
    kmodImages: kmodImages.map((built) => builtKmodImageData(built, kmodTags)),
    kmodTags,
    manifests,
    compiles: compiles.map(({ unit, wasThere, ms, logFile }) => ({
      id: unit.id,
      driver: unit.driver.name,
      kernel: unit.kernel,
      arch: unit.arch,
      wasThere,
      ms,
      logFile: logFile ?? null,
    })),
    failures: failures.map(failureData),
    notBegun,
  };
}

/** What came of a build, as people see it. */
export function buildText({ images, kmodImages, kmodTags, manifests }: BuildResult): string {
  return [
    ...images.map(builtImageText),
    ...kmodImages.map(builtKmodImageText),
    ...(kmodImages.length === 0 ? [] : [kmodTagsText(kmodTags, manifests)]),
  ].join('\n');
}

/** The same in short, for the end of a list of events. */
export function buildSummary(result: BuildResult): Readonly<Record<string, unknown>> {
  const built = [
    ...result.images.map((image) => ({ ...image, unit: targetId(image.target) })),
    ...result.kmodImages.map((image) => ({ ...image, unit: image.unit.id })),
  ];
  return {
    images: built.map(({ unit, image, digest, tag, wasThere }) => ({
      unit,
      image: formatReference(image),
      digest,
      tag,
      wasThere,
    })),
    failures: result.failures.map(failureData),
    notBegun: result.notBegun,
  };
}
