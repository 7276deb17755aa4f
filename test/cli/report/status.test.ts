import { describe, expect, it } from 'vitest';
import { withStatus } from '../../../cli/report/status.ts';
import type { BuildEvent } from '../../../src/events.ts';
import { contextOf } from '../../support/cli.ts';

const EVENTS: readonly BuildEvent[] = [
  { type: 'build-planned', units: [{ unit: 'ice for 5.14', kind: 'compile' }] },
  { type: 'unit-started', unit: 'ice for 5.14', kind: 'compile' },
  { type: 'unit-finished', unit: 'ice for 5.14', kind: 'compile', outcome: 'done', ms: 5 },
];

describe('withStatus()', () => {
  it('draws a line while something runs, and takes it away at the end', () => {
    const { context } = contextOf({ isTty: true });
    const drawn: string[] = [];
    const stderr = { ...context.stderr, status: (line: string) => void drawn.push(line), columns: () => 40 };
    const said: BuildEvent[] = [];
    const report = withStatus((event) => void said.push(event), { stderr }, {});

    for (const event of EVENTS) report(event);

    expect(drawn[0]).toBe('0 of 1');
    expect(drawn.at(-1)).toBe('');
    expect(said).toEqual(EVENTS);
  });

  it('is not there in pipes and files, nor when a command is quiet', () => {
    const { context } = contextOf();
    const stderr = { ...context.stderr, status: () => undefined };
    const say = (): void => undefined;

    expect(withStatus(say, context, {})).toBe(say);
    expect(withStatus(say, { stderr }, { quiet: true })).toBe(say);
  });
});
