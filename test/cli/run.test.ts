import { describe, expect, it } from 'vitest';
import { VERSION } from '../../cli/version.ts';
import { runCli } from '../support/cli.ts';

describe('run()', () => {
  it('prints the version', async () => {
    const result = await runCli(['--version']);

    expect(result).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  it.each([[['--help']], [['help']], [['completion', '--help']], [['help', 'completion']]])(
    'prints help of %j on stdout',
    async (argv) => {
      const { exitCode, stdout, stderr } = await runCli(argv);

      expect(exitCode).toBe(0);
      expect(stdout).toContain('Usage: kmodlayer');
      expect(stderr).toBe('');
    },
  );

  it.each([
    [[], 'Usage: kmodlayer'],
    [['bild'], "error: unknown command 'bild'"],
    [['completion'], "error: missing required argument 'shell'"],
    [['completion', 'powershell'], 'Allowed choices are bash, zsh, fish'],
    [['completion', 'bash', '--nope'], "error: unknown option '--nope'"],
  ])('ends %j with 2 and says what is wrong on stderr', async (argv, message) => {
    const { exitCode, stdout, stderr } = await runCli(argv);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
  });

  it('names the command whose help to read', async () => {
    const { stderr } = await runCli(['completion', 'bash', '--nope']);

    expect(stderr).toContain('hint: Run "kmodlayer completion --help".');
  });
});
