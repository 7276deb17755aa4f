import type { BootReport, LoadOutcome } from '../../../src/verify/boot/boot-report.ts';
import {
  type Check,
  type Finding,
  type ModuleReport,
  type TargetReport,
  type VerifyReport,
} from '../../../src/verify/report.ts';
import { BOOT_TEXTS, CHECK_TEXTS, layerRuleText, type RuleText } from '../check-texts.ts';
import type { SarifLog } from './sarif-log.ts';
import { makeSarifLog, type Problem } from './sarif.ts';

/** Details of a check that its message lists; the other reports have all of them. */
const DETAILS_SHOWN = 12;

const VERDICT_TEXT: RuleText = {
  title: 'Verdict',
  holds: 'The proof passes.',
  help: 'See the message.',
};

/** What keeps images and modules from passing, for code scanning; checks that could not be made are notifications. */
export function verifySarif(
  report: VerifyReport,
  { toolVersion, verb }: { readonly toolVersion: string; readonly verb: string },
): SarifLog {
  const unproven = (report.unproven ?? []).map(({ subject, message }) =>
    problemOf(
      { rule: 'verdict', level: 'error', message: `${subject}: ${message}` },
      { subject, within: [resource(subject)], identity: [withoutDigest(subject)] },
    ),
  );
  return makeSarifLog([...report.targets.flatMap(targetProblems), ...unproven], {
    toolVersion,
    verb,
    textOf: textOfRule,
    properties: {
      verdict: report.verdict,
      targets: report.targets.map(({ subject, kernel, arch, release, verdict, statement }) => ({
        subject,
        kernel,
        arch,
        ...(release === undefined ? {} : { release }),
        verdict,
        statement,
      })),
    },
  });
}

/** Findings about one image, for code scanning. */
export interface LintedSubject {
  /** As the user named it. */
  readonly subject: string;
  readonly findings: readonly Finding[];
}

/** What was found in images, before it is SARIF. */
export function imageProblems(linted: readonly LintedSubject[]): readonly Problem[] {
  return linted.flatMap(({ subject, findings }) =>
    findings.map((finding) =>
      findingProblem(finding, { subject, within: [resource(subject)], identity: [withoutDigest(subject)] }),
    ),
  );
}

interface Place {
  readonly subject: string;
  readonly within: Problem['within'];
  readonly identity: readonly string[];
}

function targetProblems(target: TargetReport): readonly Problem[] {
  const { subject, kernel, arch, release, verdict, statement, modules, findings, boot } = target;
  const place: Place = {
    subject,
    within: [resource(subject), resource(`${release === undefined ? '' : `${release} `}${kernel}`)],
    identity: [withoutDigest(subject), release ?? '', arch, kernel],
  };
  const problems = [
    ...modules.flatMap((module) => moduleProblems(module, place)),
    ...findings.map((finding) => findingProblem(finding, place)),
    ...(boot === undefined ? [] : bootProblems(boot, place)),
  ];
  // Whatever a report leaves out: what fails must not look clean.
  return verdict === 'passes' || problems.some(({ level }) => level === 'error')
    ? problems
    : [...problems, problemOf({ rule: 'verdict', level: 'error', message: statement }, place)];
}

function moduleProblems({ name, path, checks }: ModuleReport, place: Place): readonly Problem[] {
  const inModule = {
    subject: path,
    within: [...place.within, { name, kind: 'module' as const }],
    identity: [...place.identity, path],
  };
  return checks.flatMap((check) => {
    const level = LEVELS[check.status];
    return level === undefined
      ? []
      : [problemOf({ rule: check.id, level, message: checkMessage(name, check) }, inModule)];
  });
}

const LEVELS: Readonly<Record<Check['status'], Problem['level'] | undefined>> = {
  pass: undefined,
  fail: 'error',
  warn: 'warning',
  skip: 'skipped',
};

function checkMessage(name: string, { message, wanted, found, provider, hint, details = [] }: Check): string {
  const more = details.length - DETAILS_SHOWN;
  return [
    `${name}: ${sentence(message)}`,
    ...comparison({ wanted, found, provider }),
    ...details
      .slice(0, DETAILS_SHOWN)
      .map((detail) => [`- ${detail.subject}: ${detail.message}`, ...comparison(detail)].join('; ')),
    ...(more > 0 ? [`- and ${more} more`] : []),
    ...(hint === undefined ? [] : [hint]),
  ].join('\n');
}

function comparison({
  wanted,
  found,
  provider,
}: Pick<Check, 'wanted' | 'found' | 'provider'>): readonly string[] {
  return [
    ...(wanted === undefined ? [] : [`wanted: ${wanted}`]),
    ...(found === undefined ? [] : [`found: ${found}`]),
    ...(provider === undefined ? [] : [`provider: ${provider}`]),
  ];
}

function findingProblem({ rule, severity, path, layer, message, hint }: Finding, place: Place): Problem {
  return {
    ...problemOf(
      {
        rule,
        level: severity,
        message: [
          sentence(message),
          ...(layer === undefined ? [] : [`layer: ${layer}`]),
          ...(hint === undefined ? [] : [hint]),
        ].join('\n'),
      },
      { ...place, identity: [...place.identity, path ?? ''] },
    ),
    path: path ?? place.subject,
  };
}

const LOAD_FAILURES: Readonly<Record<LoadOutcome, string | undefined>> = {
  loaded: undefined,
  'needs-hardware': undefined,
  refused: 'the booted kernel refused it',
  'init-failed': 'its init() failed',
  'not-reached': 'the guest ended before it came to the module',
};

function bootProblems(
  { verdict, statement, modules, controls }: BootReport,
  place: Place,
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const { name, outcome, messages } of modules) {
    const failure = LOAD_FAILURES[outcome];
    if (failure === undefined) continue;
    const message = [`${name}: ${failure}.`, ...messages].join('\n');
    problems.push(
      problemOf(
        { rule: 'boot-load', level: 'error', message },
        { ...place, identity: [...place.identity, name] },
      ),
    );
  }
  for (const { name, kind, outcome, messages } of controls) {
    if (outcome === 'refused') continue;
    const what = outcome === 'not-reached' ? 'was not given' : 'accepted';
    const message = [`${name}: the booted kernel ${what} the copy that is ${kind}.`, ...messages].join('\n');
    problems.push(
      problemOf(
        { rule: 'boot-control', level: 'error', message },
        { ...place, identity: [...place.identity, name, kind] },
      ),
    );
  }
  return verdict === 'passes' || problems.length > 0
    ? problems
    : [problemOf({ rule: 'boot', level: 'error', message: statement }, place)];
}

function problemOf(
  said: Pick<Problem, 'rule' | 'level' | 'message'>,
  { subject, within, identity }: Place,
): Problem {
  return { ...said, path: subject, within, identity };
}

function resource(name: string): Problem['within'][number] {
  return { name, kind: 'resource' };
}

/** An image that was built again has another digest and still the same problem. */
function withoutDigest(subject: string): string {
  return subject.replace(/@sha256:[0-9a-f]{64}$/, '');
}

const TEXTS: ReadonlyMap<string, RuleText> = new Map(
  Object.entries({ ...CHECK_TEXTS, ...BOOT_TEXTS, verdict: VERDICT_TEXT }),
);

/** Texts of checks, of boots, and of rules of images. */
export function textOfRule(rule: string): RuleText {
  return TEXTS.get(rule) ?? layerRuleText(rule);
}

/** Messages are sentences with or without their full stop. */
function sentence(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
