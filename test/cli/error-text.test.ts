import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatError } from '../../cli/report/error-text.ts';
import { makeStyle } from '../../cli/report/style.ts';
import { CompileError, PartialFailure, RegistryError, ResolveError } from '../../src/errors.ts';
import { parseSpec } from '../../src/spec/spec.ts';

const PLAIN = { style: makeStyle(false), isVerbose: false };

describe('formatError()', () => {
  it('shows every problem of a spec with file, line and hint', () => {
    const file = 'fixtures/specs/five-mistakes.yaml';

    const text = formatError(
      failureOf(() => parseSpec(readFileSync(file, 'utf8'), file)),
      PLAIN,
    );

    expect(text).toBe(`error: Cannot use ${file}: it has 5 problems
  ${file}:5: targets.releases[0]: Cannot use release "4.16.x-x86_64": it names an architecture
    hint: Architectures are listed under "arches".
  ${file}:6: targets.kernels[1]: "kernels[1]" cannot be "rtt"
    hint: Did you mean "rt"?
  ${file}:9: drivers[0].version: "version" must be text, not the number 1.1
    hint: Put it in quotes: version: "1.10".
  ${file}:11: drivers[0].moduls: Unknown key "moduls"
    hint: Did you mean "modules"?
  ${file}:14: drivers[0].softdeps[0].module: No driver of this set has module "icee"
    hint: Did you mean "ice"?
`);
  });

  it('shows the end of a compile log before the error, and where the whole log is', () => {
    const error = new CompileError('COMPILE_FAILED', 'Cannot compile ice', {
      logFile: '/var/log/ice.log',
      logTail: ['ice.c:1: error: expected ;', 'make: *** [Makefile:1: all] Error 2'],
      hint: 'Read the log.',
    });

    const text = formatError(error, PLAIN);

    expect(text.split('\n')).toEqual([
      '  | ice.c:1: error: expected ;',
      '  | make: *** [Makefile:1: all] Error 2',
      'error: Cannot compile ice',
      'log: /var/log/ice.log',
      'hint: Read the log.',
      '',
    ]);
  });

  it('names a full disk and the place, and calls it no bug', () => {
    const error = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
      path: '/var/tmp/kmodlayer-1',
    });

    const text = formatError(error, PLAIN);

    expect(text.split('\n')[0]).toBe('error: Cannot use /var/tmp/kmodlayer-1: no space is left there');
    expect(text).not.toContain('bug');
  });

  it('shows each failure of a partial one', () => {
    const error = new PartialFailure('Cannot finish 2 of 3 targets', [
      new ResolveError('RELEASE_UNKNOWN', 'Cannot find release 4.18.99', { hint: 'Known: 4.18.9.' }),
      new RegistryError('UNREACHABLE', 'Cannot reach quay.io'),
    ]);

    const text = formatError(error, PLAIN);

    expect(text.split('\n')).toEqual([
      'error: Cannot finish 2 of 3 targets',
      '  error: Cannot find release 4.18.99',
      '  hint: Known: 4.18.9.',
      '  error: Cannot reach quay.io',
      '',
    ]);
  });

  it('asks for a report of what nobody expected', () => {
    const text = formatError(new TypeError('x is not a function'), PLAIN);

    expect(text).toContain('error: x is not a function\nhint: This is a bug in kmodlayer.');
    expect(text).not.toContain('error-text.test.ts');
  });

  it('shows stacks and causes when it is verbose', () => {
    const cause = new Error('connect ECONNREFUSED');
    const error = new RegistryError('UNREACHABLE', 'Cannot reach quay.io', { cause });

    const text = formatError(error, { ...PLAIN, isVerbose: true });

    expect(text).toMatch(/RegistryError: Cannot reach quay\.io\n +at .*error-text\.test\.ts/);
    expect(text).toMatch(/caused by:\nError: connect ECONNREFUSED\n +at /);
  });

  it('lets no text from outside steer the terminal', () => {
    const text = formatError(
      new ResolveError('PAYLOAD_INVALID', 'Cannot use \u001b[2J\u009b1m\u202e'),
      PLAIN,
    );

    expect(text).toBe('error: Cannot use \u{fffd}[2J\u{fffd}1m\u{fffd}\n');
  });
});

function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing failed');
}
