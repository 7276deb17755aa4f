import type { ManifestFinding } from '../../../src/verify/manifest/finding.ts';
import { MANIFEST_RULE_TEXTS } from '../manifest-rule-texts.ts';
import type { SarifLog } from './sarif-log.ts';
import { makeSarifLog, type Problem } from './sarif.ts';
import { imageProblems, type LintedSubject, textOfRule } from './verify-sarif.ts';

/** What `lint` found in manifests and images, for code scanning. */
export function lintSarif(
  {
    images,
    manifests,
  }: { readonly images: readonly LintedSubject[]; readonly manifests: readonly ManifestFinding[] },
  { toolVersion }: { readonly toolVersion: string },
): SarifLog {
  return makeSarifLog([...manifests.map(manifestProblem), ...imageProblems(images)], {
    toolVersion,
    verb: 'lint',
    textOf: (rule) => MANIFEST_RULE_TEXTS.get(rule) ?? textOfRule(rule),
  });
}

function manifestProblem({
  rule,
  severity,
  file,
  object,
  path,
  line,
  message,
  hint,
}: ManifestFinding): Problem {
  return {
    rule,
    level: severity,
    message: [
      `${path === '' ? object : `${object}, ${path}`}: ${message}.`,
      ...(hint === undefined ? [] : [hint]),
    ].join('\n'),
    path: file,
    line,
    within: [{ name: object, kind: 'resource' }],
    // Lines move whenever somebody edits the file; paths rarely do.
    identity: [file, object, path],
  };
}
