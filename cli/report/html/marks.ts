import type { ControlBoot, LoadOutcome } from '../../../src/verify/boot/boot-report.ts';
import type {
  CheckStatus,
  Finding,
  ModuleReport,
  OverrideReport,
  SymbolUse,
  Verdict,
} from '../../../src/verify/report.ts';
import { markup, type Html } from './html.ts';

/** A state: its picture and colour; words always stand beside it. */
export type Mark = 'pass' | 'fail' | 'warn' | 'info' | 'none';

/** The shapes, once in a page; each is told from the others without colour. */
export const MARK_SHAPES = markup`<svg class="shapes" width="0" height="0" aria-hidden="true" focusable="false"><defs>
  <symbol id="i-pass" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7"/><path d="M4.6 8.3 7 10.7l4.4-5"/></symbol>
  <symbol id="i-fail" viewBox="0 0 16 16"><path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/><path d="m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2"/></symbol>
  <symbol id="i-warn" viewBox="0 0 16 16"><path d="M8 1.3 15.2 14.5H.8z"/><path d="M8 6v4m0 1.8v.6"/></symbol>
  <symbol id="i-info" viewBox="0 0 16 16"><rect x="1.2" y="1.2" width="13.6" height="13.6" rx="2"/><path d="M8 4v.6m0 2.4v5"/></symbol>
  <symbol id="i-none" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7"/><path d="M4.8 8h6.4"/></symbol>
  </defs></svg>`;

/** A mark with its words. */
export function marked(mark: Mark, words: string): Html {
  return markup`<span class="mark ${mark}"><svg aria-hidden="true" focusable="false"><use href="#i-${mark}"/></svg><span>${words}</span></span>`;
}

export function verdictMark(verdict: Verdict): Html {
  return marked(verdict === 'passes' ? 'pass' : 'fail', verdict);
}

/** Warnings do not change a verdict, but belong to it. */
export function moduleMark({ verdict, checks }: ModuleReport): Html {
  const warnings = checks.filter(({ status }) => status === 'warn').length;
  if (verdict === 'fails' || warnings === 0) return verdictMark(verdict);
  return marked('warn', `passes, with ${warnings === 1 ? 'a warning' : `${warnings} warnings`}`);
}

type Marks<State extends string> = Readonly<Record<State, readonly [Mark, string]>>;

const CHECK_MARKS: Marks<CheckStatus> = {
  pass: ['pass', 'pass'],
  fail: ['fail', 'fail'],
  warn: ['warn', 'warning'],
  skip: ['none', 'not checked'],
};

export function checkMark(status: CheckStatus): Html {
  return marked(...CHECK_MARKS[status]);
}

const SYMBOL_MARKS: Marks<SymbolUse['status']> = {
  ok: ['pass', 'as built'],
  missing: ['fail', 'missing'],
  'crc-changed': ['fail', 'version changed'],
  'no-crc': ['fail', 'no version'],
  namespace: ['fail', 'namespace not imported'],
  licence: ['fail', 'for GPL modules only'],
  weak: ['info', 'missing, and optional'],
};

export function symbolMark(status: SymbolUse['status']): Html {
  return marked(...SYMBOL_MARKS[status]);
}

const SEVERITY_MARKS: Marks<Finding['severity']> = {
  error: ['fail', 'error'],
  warning: ['warn', 'warning'],
  note: ['info', 'note'],
};

export function severityMark(severity: Finding['severity']): Html {
  return marked(...SEVERITY_MARKS[severity]);
}

const OUTCOME_MARKS: Marks<LoadOutcome> = {
  loaded: ['pass', 'loaded'],
  'needs-hardware': ['info', 'accepted; its init() found no hardware'],
  'init-failed': ['fail', 'accepted; its init() failed'],
  refused: ['fail', 'refused'],
  'not-reached': ['fail', 'not reached'],
};

export function outcomeMark(outcome: LoadOutcome): Html {
  return marked(...OUTCOME_MARKS[outcome]);
}

/** A copy that must be refused: what is bad elsewhere is good here. */
export function controlMark({ outcome }: ControlBoot): Html {
  switch (outcome) {
    case 'refused':
      return marked('pass', 'refused, as it must be');
    case 'not-reached':
      return outcomeMark(outcome);
    case 'loaded':
    case 'needs-hardware':
    case 'init-failed':
      return marked('fail', 'accepted');
  }
}

const DEPENDANT_MARKS: Marks<OverrideReport['dependants'][number]['status']> = {
  ok: ['pass', 'finds what it needs'],
  broken: ['fail', 'breaks'],
  unknown: ['none', 'not known'],
};

export function dependantMark(status: keyof typeof DEPENDANT_MARKS): Html {
  return marked(...DEPENDANT_MARKS[status]);
}
