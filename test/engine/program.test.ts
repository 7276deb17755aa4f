import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import {
  makeRunProgram,
  MAX_PROGRAM_OUTPUT_BYTES,
  type ProgramRequest,
  type ProgramResult,
} from '../../src/engine/program.ts';
import { withTemporaryDirectory } from '../support/io.ts';

const runProgram = makeRunProgram({
  env: { PATH: process.env['PATH'], BASE: 'base' },
  withTemporaryDirectory,
});

function run(
  program: string,
  args: readonly string[],
  options: Partial<ProgramRequest> = {},
): Promise<ProgramResult> {
  return runProgram({
    program,
    args,
    directory: tmpdir(),
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...options,
  });
}

describe('runProgram()', () => {
  it('hands bytes in and out as they are, and arguments past every shell', async () => {
    const input = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256));

    const through = await run('cat', [], { input });
    const words = await run('printf', ['%s|', '$HOME', '`id`', "it's", 'a b', '', '*']);

    expect(through).toMatchObject({ outcome: 'ended', exitCode: 0 });
    expect(through.output.equals(input)).toBe(true);
    expect(words.output.toString()).toBe("$HOME|`id`|it's|a b||*|");
  });

  it('adds variables to its environment, and puts files where only this user can read them', async () => {
    const modes: number[] = [];
    const files = { KEY_FILE: { name: 'some name.ko', bytes: Buffer.from('content') } };

    const script = 'echo "$BASE $MORE $KEY_FILE"; cat "$KEY_FILE" >&2; echo >&2; read -r wait';
    const result = await run('sh', ['-c', `${script}; stat -c %a "$KEY_FILE" "$(dirname "$KEY_FILE")"`], {
      env: { MORE: 'more' },
      files,
      onErrorLine: (line) => modes.push(line.length),
    });

    const [first = '', ...rest] = result.output.toString().split('\n');
    const path = first.slice('base more '.length);
    expect(first).toMatch(/^base more .*\/some name\.ko$/);
    expect(rest.slice(0, 2)).toEqual(['600', '700']);
    expect(result.errorTail).toEqual(['content']);
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('tells lines of standard error as they come, and keeps the last ones', async () => {
    const lines: string[] = [];

    const { errorTail, exitCode } = await run('sh', ['-c', 'seq 1 100 >&2; exit 3'], {
      onErrorLine: (line) => lines.push(line),
    });

    expect(exitCode).toBe(3);
    expect(lines).toHaveLength(100);
    expect(errorTail.at(-1)).toBe('100');
    expect(errorTail).toHaveLength(20);
  });

  it('keeps no more than the limit of a long output', async () => {
    const { output } = await run('head', ['-c', String(3 * MAX_PROGRAM_OUTPUT_BYTES), '/dev/zero']);

    expect(output).toHaveLength(MAX_PROGRAM_OUTPUT_BYTES + 1);
  });

  it.each(['no-such-program-here', '/no-such-directory/program', '/etc/passwd', '/etc/passwd/program'])(
    'says that %s cannot be run',
    async (program) => {
      await expect(run(program, [])).resolves.toMatchObject({ outcome: 'missing', exitCode: undefined });
    },
  );

  it('lets programs open their input and output by name', async () => {
    const input = Buffer.from('through files');

    const { output } = await run('sh', ['-c', 'cat /dev/stdin >/dev/stdout'], { input });

    expect(output.toString()).toBe('through files');
  });

  it('does not mind a program that leaves its input unread', async () => {
    const result = await run('true', [], { input: Buffer.alloc(10_000_000) });

    expect(result).toMatchObject({ outcome: 'ended', exitCode: 0 });
  });

  it('ends a program, and what it started, when its time is over', async () => {
    const { outcome, errorTail } = await run('sh', ['-c', 'sleep 600 & echo $! >&2; wait'], {
      timeoutMs: 300,
    });

    expect(outcome).toBe('timed-out');
    expect(() => process.kill(Number(errorTail[0]), 0)).toThrow('ESRCH');
  });

  it('ends a program when aborted, and starts none after', async () => {
    const controller = new AbortController();
    const running = run('sh', ['-c', 'echo started >&2; sleep 600'], {
      signal: controller.signal,
      onErrorLine: () => {
        controller.abort(new Error('enough'));
      },
    });

    await expect(running).rejects.toThrow('enough');
    await expect(run('true', [], { signal: controller.signal })).rejects.toThrow('enough');
  });
});
