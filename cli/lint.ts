import { SpecError } from '../src/errors.ts';
import type { LintFlags } from './commands/lint.ts';
import { type CliContext, hasColour } from './context.ts';
import { CheckFailed } from './exit-codes.ts';
import { sortArguments } from './lint-arguments.ts';
import { lintImages, type LintedImage } from './lint-images.ts';
import { lintManifestFiles, type LintedManifests, unreadError } from './lint-manifests.ts';
import { countsText, findingData, findingText } from './report/finding-text.ts';
import { manifestData, manifestText } from './report/manifest-text.ts';
import { printResult } from './report/output.ts';
import { makeStyle, type Style } from './report/style.ts';
import { VERSION } from './version.ts';

/**
 * Lints manifests and images, and prints what was found.
 *
 * @throws {SpecError} `USAGE`, `SPEC_UNREADABLE`; {CheckFailed} when a finding is an error; as reading images does.
 */
export async function lint(names: readonly string[], flags: LintFlags, context: CliContext): Promise<void> {
  const { images: imageNames, ...paths } = await sortArguments(names, context);
  const hasManifests = paths.files.length + paths.directories.length > 0;
  requireFlagsFit(flags, hasManifests);
  const manifests = hasManifests ? await lintManifestFiles(paths, flags, context) : undefined;
  const images = imageNames.length > 0 ? await lintImages(imageNames, flags, context) : [];

  const style = makeStyle(flags.outputFile === undefined && hasColour(context, context.stdout));
  await printResult(
    context,
    flags.output,
    {
      verb: 'lint',
      data: {
        images: images.map(({ subject, kind, findings }) => ({
          subject,
          kind,
          findings: findings.map(findingData),
        })),
        manifests: manifests === undefined ? null : manifestData(manifests, flags.openshift),
      },
      text: () =>
        [
          ...(manifests === undefined ? [] : [manifestText(manifests, flags.openshift, style)]),
          ...images.map((image) => imageText(image, style)),
        ].join('\n'),
      sarif: async () => {
        const { lintSarif } = await import('./report/sarif/lint-sarif.ts');
        return `${JSON.stringify(lintSarif({ images, manifests: manifests?.report.findings ?? [] }, { toolVersion: VERSION }), null, 2)}\n`;
      },
    },
    flags.outputFile,
  );
  const unread = manifests === undefined ? undefined : unreadError(manifests);
  if (unread !== undefined) throw unread;
  if (hasErrors(images, manifests)) throw new CheckFailed();
}

function requireFlagsFit(flags: LintFlags, hasManifests: boolean): void {
  if (hasManifests || (flags.openshift === undefined && flags.pool === undefined)) return;
  throw new SpecError('USAGE', 'Cannot use --openshift or --pool: there is no manifest among the arguments', {
    hint: 'They say how MachineConfigs are merged; name the files that hold them.',
  });
}

function hasErrors(images: readonly LintedImage[], manifests: LintedManifests | undefined): boolean {
  return [...images.flatMap(({ findings }) => findings), ...(manifests?.report.findings ?? [])].some(
    ({ severity }) => severity === 'error',
  );
}

function imageText({ subject, findings }: LintedImage, style: Style): string {
  return `${style.strong(subject)}  ${countsText(findings)}\n${findings.map((finding) => findingText(finding, style)).join('')}`;
}
