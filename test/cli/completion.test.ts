import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

describe('kmodlayer completion', () => {
  it.each([
    ['bash', 'complete -F _kmodlayer kmodlayer'],
    ['zsh', '#compdef kmodlayer'],
    ['fish', "complete -c kmodlayer -n '__kmodlayer_at' -a 'completion'"],
  ])('prints a script for %s', async (shell, piece) => {
    const { exitCode, stdout } = await runCli(['completion', shell]);

    expect(exitCode).toBe(0);
    expect(stdout).toContain(piece);
    expect(stdout).toContain('bash zsh fish');
  });
});
