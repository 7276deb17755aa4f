import { lintImage, type LintImageOptions } from '../../../src/verify/image/lint-image.ts';
import type { OpenedImage } from '../../../src/oci/open-image.ts';
import type { Finding } from '../../../src/verify/report.ts';
import { makeTestIo } from '../../support/io.ts';
import { layered, type RawEntry } from '../../support/layered-image.ts';

/** What the rules say of an image. */
export async function lint(image: OpenedImage, options: LintImageOptions = {}): Promise<readonly Finding[]> {
  return (await lintImage(image, options, makeTestIo())).findings;
}

/** What the rules say of layers on top of a base. */
export async function lintLayers(
  base: OpenedImage,
  ...layers: readonly (readonly RawEntry[])[]
): Promise<readonly Finding[]> {
  return lint(await layered(base, layers));
}

/** Findings in short: `error dropped-path lib/modules/x.ko`. */
export function brief(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ severity, rule, path }) => [severity, rule, path].filter(Boolean).join(' '));
}
