import { describe, expect, it } from 'vitest';
import type { GuestStep } from '../../../src/verify/boot/console.ts';
import { judgeStep } from '../../../src/verify/boot/outcome.ts';

function step(changes: Partial<GuestStep>): GuestStep {
  return { exitCode: 1, state: 'absent', output: ['said'], kernel: [], initCalls: [], ...changes };
}

describe('judgeStep()', () => {
  it.each([
    ['a module that is there', { exitCode: 0, state: 'live' }, 'loaded'],
    ['a module that is built in', { exitCode: 0, state: 'built-in' }, 'loaded'],
    ['a program that did something else instead', { exitCode: 0 }, 'refused'],
    ['no call of an init function', {}, 'refused'],
    ['a guest that ended before any', { exitCode: undefined }, 'refused'],
    ['ENODEV', { initCalls: [{ module: 'x', returned: -19 }] }, 'needs-hardware'],
    ['ENXIO', { initCalls: [{ module: 'x', returned: -6 }] }, 'needs-hardware'],
    ['EOPNOTSUPP', { initCalls: [{ module: 'x', returned: -95 }] }, 'needs-hardware'],
    ['another error', { initCalls: [{ module: 'x', returned: -22 }] }, 'init-failed'],
    ['a call that never returned', { initCalls: [{ module: 'x', returned: undefined }] }, 'init-failed'],
    [
      'a guest that ended in a call',
      { exitCode: undefined, initCalls: [{ module: 'x', returned: undefined }] },
      'init-failed',
    ],
    [
      'a dependency that was initialised, and a module that was not',
      { initCalls: [{ module: 'dependency', returned: 0 }] },
      'refused',
    ],
    [
      'a dependency without hardware',
      { initCalls: [{ module: 'dependency', returned: -19 }] },
      'needs-hardware',
    ],
  ] as const)('%s: %j is %s', (_, changes, outcome) => {
    expect(judgeStep(step(changes), 'x').outcome).toBe(outcome);
  });

  it('is not reached without a step', () => {
    expect(judgeStep(undefined, 'x')).toEqual({ outcome: 'not-reached', messages: [] });
  });

  it('names what the kernel called, and what that returned', () => {
    const { messages } = judgeStep(step({ initCalls: [{ module: 'x', returned: -19 }] }), 'x');

    expect(messages).toEqual(['said', 'init() of x returned -19: No such device']);
  });
});
