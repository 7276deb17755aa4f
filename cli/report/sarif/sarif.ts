import { createHash } from 'node:crypto';
import { printable } from '../printable.ts';
import type { RuleText } from '../check-texts.ts';
import type {
  SarifLevel,
  SarifLocation,
  SarifLog,
  SarifLogicalLocation,
  SarifNotification,
  SarifResult,
  SarifRule,
} from './sarif-log.ts';
import { artifactUri } from './uri.ts';

/** Something to say about one place, before it is SARIF. */
export interface Problem {
  readonly rule: string;
  /** `skipped`: it could not be looked at, which is no result. */
  readonly level: SarifLevel | 'skipped';
  readonly message: string;
  /** The file that it is about. */
  readonly path: string;
  /** From 1. */
  readonly line?: number | undefined;
  /** Where in the subject it is, from the outside to the inside. */
  readonly within: readonly { readonly name: string; readonly kind: SarifLogicalLocation['kind'] }[];
  /** What stays the same from run to run as long as it is the same problem. */
  readonly identity: readonly string[];
}

export interface SarifOptions {
  /** Version of kmodlayer. */
  readonly toolVersion: string;
  /** The verb; results of another verb do not take the place of these where they are uploaded. */
  readonly verb: string;
  readonly textOf: (rule: string) => RuleText;
  /** More about the run, as SARIF's property bag. */
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** What GitHub shows of one message; more is in the other reports. */
const MESSAGE_LIMIT = 4000;

/** Problems as a SARIF log with one run, in the order that they come in. */
export function makeSarifLog(problems: readonly Problem[], options: SarifOptions): SarifLog {
  const rules = [...new Set(problems.map(({ rule }) => rule))].sort();
  const seen = new Map<string, number>();
  const results: SarifResult[] = [];
  const skipped: SarifNotification[] = [];

  for (const problem of problems) {
    const index = rules.indexOf(problem.rule);
    const shared = { message: { text: messageText(problem.message) }, locations: [locationOf(problem)] };
    if (problem.level === 'skipped') {
      skipped.push({ associatedRule: { id: problem.rule, index }, level: 'note', ...shared });
      continue;
    }
    const hash = hashOf([problem.rule, ...problem.identity]);
    const count = (seen.get(hash) ?? 0) + 1;
    seen.set(hash, count);
    const fingerprint = `${hash}:${count}`;
    results.push({
      ruleId: problem.rule,
      ruleIndex: index,
      level: problem.level,
      ...shared,
      // GitHub looks at the first only, others at any.
      partialFingerprints: { primaryLocationLineHash: fingerprint, 'kmodlayer/v1': fingerprint },
    });
  }

  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'kmodlayer',
            semanticVersion: options.toolVersion,
            rules: rules.map((rule) => ruleOf(rule, options.textOf(rule))),
          },
        },
        automationDetails: { id: `kmodlayer/${options.verb}/` },
        columnKind: 'utf16CodeUnits',
        invocations: [{ executionSuccessful: true, toolExecutionNotifications: skipped }],
        results,
        ...(options.properties === undefined ? {} : { properties: options.properties }),
      },
    ],
  };
}

function ruleOf(id: string, { title, holds, help }: RuleText): SarifRule {
  return {
    id,
    shortDescription: { text: title },
    fullDescription: { text: holds },
    help: { text: help, markdown: help },
    defaultConfiguration: { level: 'error' },
    properties: { tags: ['kernel-module', 'openshift'] },
  };
}

function locationOf({ path, line, within }: Problem): SarifLocation {
  return {
    physicalLocation: {
      artifactLocation: { uri: artifactUri(path) },
      // Modules have no lines, but GitHub shows nothing without one.
      region: { startLine: line ?? 1 },
    },
    ...(within.length === 0
      ? {}
      : {
          logicalLocations: within.map(({ name, kind }, index) => ({
            name: printable(name),
            fullyQualifiedName: within
              .slice(0, index + 1)
              .map((place) => printable(place.name))
              .join('/'),
            kind,
          })),
        }),
  };
}

/** SARIF reads `[text](target)` in messages as a link; a name from outside must not make one. */
function messageText(text: string): string {
  const shown = printable(text).replaceAll('](', '] (');
  return shown.length <= MESSAGE_LIMIT ? shown : `${shown.slice(0, MESSAGE_LIMIT).trimEnd()} ...`;
}

function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
