import { describe, expect, it } from 'vitest';
import { makeReport, type ReportFlags } from '../../cli/report/event-text.ts';
import type { BuildEvent } from '../../src/events.ts';
import { contextOf } from '../support/cli.ts';

const EVENTS: readonly BuildEvent[] = [
  { type: 'stage-started', target: '4.18.4 x86_64', stage: 'compile', detail: 'ice' },
  { type: 'compile-output', target: 'ice', line: 'CC ice.o' },
  { type: 'stage-finished', target: '4.18.4 x86_64', stage: 'compile', detail: 'ice', ms: 125_400 },
  { type: 'request-retried', url: 'https://quay.io/v2/', attempt: 1, why: '503', delayMs: 2000 },
  { type: 'transfer-planned', what: 'base layers', blobs: 46, sizeBytes: 1_234_567_890 },
  { type: 'warning', message: 'modules stay unsigned', hint: 'Add "sign".' },
  { type: 'detail', message: 'cache hit' },
];

function linesOf(flags: ReportFlags, events: readonly BuildEvent[] = EVENTS): readonly string[] {
  const { context, written } = contextOf();
  const report = makeReport(context, flags);
  for (const event of events) report(event);
  return written.stderr.split('\n').slice(0, -1);
}

describe('makeReport()', () => {
  it('says what was done, what was retried and what moves', () => {
    const lines = linesOf({});

    expect(lines).toEqual([
      '4.18.4 x86_64: compile: ice (2 min 5 s)',
      'https://quay.io/v2/: 503; try 2 in 2.0 s',
      'base layers: 46 blobs, 1.2 GB',
      'warning: modules stay unsigned',
      'hint: Add "sign".',
    ]);
  });

  it('says only warnings when it is quiet', () => {
    const lines = linesOf({ quiet: true });

    expect(lines).toEqual(['warning: modules stay unsigned', 'hint: Add "sign".']);
  });

  it('says everything when it is verbose', () => {
    const lines = linesOf({ verbose: true });

    expect(lines).toHaveLength(8);
    expect(lines).toContain('ice | CC ice.o');
    expect(lines).toContain('cache hit');
  });

  it('mentions a transfer about every tenth', () => {
    const progress = Array.from({ length: 1001 }, (_, index): BuildEvent => {
      return { type: 'transfer-progress', what: 'layer', doneBytes: index * 1000, sizeBytes: 1_000_000 };
    });

    const lines = linesOf({}, progress);

    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toBe('layer: 1.0 MB of 1.0 MB');
  });
});
