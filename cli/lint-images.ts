import { formatReference } from '../src/oci/reference.ts';
import { lintImage } from '../src/verify/image/lint-image.ts';
import type { Finding } from '../src/verify/report.ts';
import type { LintFlags } from './commands/lint.ts';
import type { CliContext } from './context.ts';
import { makeIo } from './make-io.ts';
import { openNamedImage } from './open-named-image.ts';

export interface LintedImage {
  /** By digest. */
  readonly subject: string;
  readonly kind: 'os' | 'kmod';
  readonly findings: readonly Finding[];
}

/** Lints images. Throws as opening and reading images does. */
export async function lintImages(
  names: readonly string[],
  flags: LintFlags,
  context: CliContext,
): Promise<readonly LintedImage[]> {
  const io = await makeIo(context, flags);
  const base = flags.base === undefined ? undefined : await openNamedImage(flags.base, flags.arch, io);
  const linted: LintedImage[] = [];
  for (const name of names) {
    const { reference, image } = await openNamedImage(name, flags.arch, io);
    const { kind, findings } = await lintImage(image, { base: base?.image, layers: flags.layers }, io);
    linted.push({ subject: formatReference(reference), kind: kind === 'kmod' ? 'kmod' : 'os', findings });
  }
  return linted;
}
