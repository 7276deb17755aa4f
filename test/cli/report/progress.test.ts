import { describe, expect, it } from 'vitest';
import { makeProgress } from '../../../cli/report/progress.ts';
import type { BuildEvent } from '../../../src/events.ts';

/** The line after some events, each with the second at which it is reported. */
function lineAfter(events: readonly (readonly [number, BuildEvent])[], at: number, columns = 200): string {
  let second = 0;
  const progress = makeProgress(() => second * 1000);
  for (const [when, event] of events) {
    second = when;
    progress.add(event);
  }
  second = at;
  return progress.line(columns);
}

const PLANNED: BuildEvent = {
  type: 'build-planned',
  units: [
    { unit: 'ice for 5.14', kind: 'compile' },
    { unit: 'ice for 6.12', kind: 'compile' },
    { unit: '4.18.4', kind: 'image' },
  ],
};

const started = (unit: string, kind: 'compile' | 'image'): BuildEvent => ({
  type: 'unit-started',
  unit,
  kind,
});

const finished = (unit: string, kind: 'compile' | 'image', ms: number): BuildEvent => ({
  ...{ type: 'unit-finished', unit, kind, outcome: 'done', ms },
});

describe('makeProgress()', () => {
  it('says how many of how many, and what runs since when', () => {
    const line = lineAfter(
      [
        [0, PLANNED],
        [0, started('ice for 5.14', 'compile')],
        [1, started('ice for 6.12', 'compile')],
      ],
      41,
    );

    expect(line).toBe('0 of 3, compiling ice for 5.14 (41 s) and 1 more');
  });

  it('tells the time that is left once every kind that is left has been seen', () => {
    const events: readonly (readonly [number, BuildEvent])[] = [
      [0, PLANNED],
      [0, started('ice for 5.14', 'compile')],
      [60, finished('ice for 5.14', 'compile', 60_000)],
      [60, started('4.18.4', 'image')],
      [62, finished('4.18.4', 'image', 2000)],
    ];

    expect(lineAfter(events.slice(0, 3), 60)).toBe('1 of 3');
    expect(lineAfter(events, 62)).toBe('2 of 3, about 1 min 0 s to go');
  });

  it('tells what moves, how fast, and how long it takes', () => {
    const line = lineAfter(
      [
        [0, { type: 'transfer-planned', what: 'layers', blobs: 2, sizeBytes: 1_000_000_000 }],
        [10, { type: 'transfer-progress', what: 'layers', doneBytes: 250_000_000, sizeBytes: 1_000_000_000 }],
      ],
      10,
    );

    expect(line).toBe('250 MB of 1.0 GB, 25 MB/s, 30 s left');
  });

  it('is empty when nothing runs, never longer than the terminal, and one line whatever a name holds', () => {
    const units: BuildEvent = { type: 'build-planned', units: [{ unit: 'a\nb\u001b[2J', kind: 'compile' }] };

    expect(lineAfter([], 0)).toBe('');
    expect(
      lineAfter(
        [
          [0, PLANNED],
          [0, started('ice for 5.14', 'compile')],
        ],
        1,
        20,
      ),
    ).toBe('0 of 3, compiling i…');
    expect(
      lineAfter(
        [
          [0, units],
          [0, started('a\nb\u001b[2J', 'compile')],
        ],
        1,
      ),
    ).not.toMatch(/[\n\u001b]/);
  });
});
