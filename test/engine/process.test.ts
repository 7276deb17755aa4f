import { describe, expect, it } from 'vitest';
import { quoteWord, runProcess } from '../../src/engine/process.ts';

const { signal } = new AbortController();

describe('runProcess()', () => {
  it('hands every argument on unchanged, whatever a shell would make of it', async () => {
    const args = ["it's", '$HOME', '`id`', '$(id)', 'a b', '', '\\', '"', '*', ';id', '\n', '--', 'é'];

    const result = await runProcess({ program: 'printf', args: ['%s|', ...args], signal });

    expect(result.exitCode).toBe(0);
    expect(result.output).toBe(args.map((word) => `${word}|`).join(''));
  });

  it('tells lines of both outputs as they come, also a last one without a line end', async () => {
    const lines: string[] = [];

    await runProcess({
      program: 'sh',
      args: ['-c', 'echo a; sleep 0.05; echo b >&2; sleep 0.05; printf "c\\r\\nd"'],
      signal,
      onLine: (line) => lines.push(line),
    });

    expect(lines).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps no more than the last lines of a long output', async () => {
    const result = await runProcess({ program: 'seq', args: ['1', '100000'], signal });

    expect(result.tail).toHaveLength(200);
    expect(result.tail.at(-1)).toBe('100000');
  });

  it('reports a program that does not exist as exit code 127', async () => {
    const result = await runProcess({ program: '/no-such-directory/program', args: [], signal });

    expect(result.exitCode).toBe(127);
  });

  it('sets and takes away environment variables', async () => {
    const result = await runProcess({
      program: 'sh',
      args: ['-c', 'echo "$MARK-${HOME-none}"'],
      env: { MARK: 'x', HOME: undefined },
      signal,
    });

    expect(result.output).toBe('x-none\n');
  });

  it('ends the program and what it started when aborted', async () => {
    const controller = new AbortController();
    const pids: string[] = [];

    const running = runProcess({
      program: 'sh',
      args: ['-c', 'sleep 600 & echo $!; wait'],
      signal: controller.signal,
      onLine: (line) => {
        pids.push(line);
        controller.abort(new Error('enough'));
      },
    });

    await expect(running).rejects.toThrow('enough');
    expect(() => process.kill(Number(pids[0]), 0)).toThrow('ESRCH');
  });

  it('starts nothing when it was aborted before', async () => {
    const running = runProcess({
      program: 'no-such-program-here',
      args: [],
      signal: AbortSignal.abort(new Error('enough')),
    });

    await expect(running).rejects.toThrow('enough');
  });
});

describe('quoteWord()', () => {
  it('leaves nothing for the shell to read', () => {
    expect(quoteWord("a'b")).toBe(`'a'\\''b'`);
  });
});
