import { SpecError } from '../src/errors.ts';
import { formatReference } from '../src/oci/reference.ts';
import { lintImage } from '../src/verify/image/lint-image.ts';
import type { Finding } from '../src/verify/report.ts';
import type { LintFlags } from './commands/lint.ts';
import { type CliContext, hasColour } from './context.ts';
import { CheckFailed } from './exit-codes.ts';
import { makeIo } from './make-io.ts';
import { openNamedImage } from './open-named-image.ts';
import { countsText, findingData, findingText } from './report/finding-text.ts';
import { printResult } from './report/output.ts';
import { makeStyle } from './report/style.ts';
import { VERSION } from './version.ts';

interface Linted {
  /** By digest. */
  readonly subject: string;
  readonly kind: 'os' | 'kmod';
  readonly findings: readonly Finding[];
}

/**
 * Lints images and prints what was found.
 *
 * @throws {SpecError} `USAGE`; {CheckFailed} when a finding is an error; as opening and reading images does.
 */
export async function lintImages(
  names: readonly string[],
  flags: LintFlags,
  context: CliContext,
): Promise<void> {
  for (const name of names) requireImage(name);
  const io = await makeIo(context, flags);
  const base = flags.base === undefined ? undefined : await openNamedImage(flags.base, flags.arch, io);
  const linted: Linted[] = [];
  for (const name of names) {
    const { reference, image } = await openNamedImage(name, flags.arch, io);
    const { kind, findings } = await lintImage(image, { base: base?.image, layers: flags.layers }, io);
    linted.push({ subject: formatReference(reference), kind: kind === 'kmod' ? 'kmod' : 'os', findings });
  }

  const style = makeStyle(flags.outputFile === undefined && hasColour(context, context.stdout));
  await printResult(
    context,
    flags.output,
    {
      verb: 'lint',
      data: {
        images: linted.map(({ subject, kind, findings }) => ({
          subject,
          kind,
          findings: findings.map(findingData),
        })),
      },
      text: () =>
        linted
          .map(
            ({ subject, findings }) =>
              `${style.strong(subject)}  ${countsText(findings)}\n${findings.map((finding) => findingText(finding, style)).join('')}`,
          )
          .join('\n'),
      sarif: async () => {
        const { lintSarif } = await import('./report/sarif/verify-sarif.ts');
        return `${JSON.stringify(lintSarif(linted, { toolVersion: VERSION }), null, 2)}\n`;
      },
    },
    flags.outputFile,
  );
  if (linted.some(({ findings }) => findings.some(({ severity }) => severity === 'error')))
    throw new CheckFailed();
}

/** @throws {SpecError} `USAGE` for a file. */
function requireImage(name: string): void {
  if (!/\.(?:ya?ml|json)$/i.test(name) || /^(?:oci|oci-archive|docker):/.test(name)) return;
  throw new SpecError('USAGE', `Cannot lint ${name}: it is a file, and this command looks at images`, {
    hint: 'Name an image, for instance quay.io/a/b:tag or oci:DIR:TAG.',
  });
}
