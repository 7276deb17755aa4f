import { describe, expect, it } from 'vitest';
import { makeEventLines } from '../../../cli/report/event-lines.ts';
import type { BuildEvent } from '../../../src/events.ts';

const AT = new Date('2026-01-02T03:04:05.678Z');

function linesOf(...events: readonly BuildEvent[]): readonly unknown[] {
  let text = '';
  const { report } = makeEventLines(
    (line) => (text += line),
    () => AT,
  );
  for (const event of events) report(event);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
}

describe('makeEventLines()', () => {
  it('writes a line of JSON for each event, with version, time and unit', () => {
    const lines = linesOf(
      { type: 'unit-finished', unit: 'ice for 5.14', kind: 'compile', outcome: 'done', ms: 41_000 },
      { type: 'stage-finished', target: '4.18.4 x86_64 rhel-9', stage: 'push', ms: 200 },
      { type: 'transfer-progress', what: 'layers', doneBytes: 1, sizeBytes: 2 },
    );

    const head = { schema: 'kmodlayer/events/v1', time: AT.toISOString() };
    expect(lines).toEqual([
      { ...head, type: 'unit-finished', unit: 'ice for 5.14', kind: 'compile', outcome: 'done', ms: 41_000 },
      { ...head, type: 'stage-finished', unit: '4.18.4 x86_64 rhel-9', stage: 'push', ms: 200 },
      { ...head, type: 'transfer-progress', what: 'layers', doneBytes: 1, sizeBytes: 2 },
    ]);
  });

  it('leaves out what compilers and programs print', () => {
    expect(
      linesOf(
        { type: 'compile-output', target: 'ice', line: 'CC ice.o' },
        { type: 'program-output', program: 'signer', line: 'pin ok' },
        { type: 'detail', message: 'cache hit' },
      ),
    ).toEqual([]);
  });
});
