import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../support/cli.ts';

const RELEASE = 'oci:fixtures/quickstart/release';
const OS_IMAGE = `${RELEASE}@sha256:fc207f7cc069fa3f351b713153e4c31f8cf1313132809f30e2d207b25cb7371b`;
const PAYLOAD = `${RELEASE}:4.18.4`;

describe('kmodlayer lint', () => {
  it('finds nothing in an OS image', async () => {
    const { exitCode, stdout } = await runCli(['lint', OS_IMAGE]);

    expect(stdout).toBe(`${OS_IMAGE}  nothing found\n`);
    expect(exitCode).toBe(0);
  });

  it('ends with 1 and says what to do when something is an error', async () => {
    const { exitCode, stdout, stderr } = await runCli(['lint', OS_IMAGE, PAYLOAD]);

    expect(stderr).toBe('');
    expect(stdout).toMatch(/^oci:.* nothing found\n\noci:.* 1 error$/m);
    expect(stdout).toMatch(/^ {2}error kmod-image-empty {2}no file of the image is a module/m);
    expect(stdout).toMatch(/^ {4}hint: Put modules at/m);
    expect(exitCode).toBe(1);
  });

  it.each(['json', 'yaml'])('prints %s with a schema', async (format) => {
    const { stdout } = await runCli(['lint', PAYLOAD, '-o', format]);

    expect(parse(stdout)).toMatchObject({
      schema: 'kmodlayer/lint/v1',
      images: [
        {
          subject: expect.stringMatching(/@sha256:/) as unknown,
          kind: 'kmod',
          findings: [{ rule: 'kmod-image-empty', severity: 'error', path: null, layer: null }],
        },
      ],
    });
  });

  it('prints SARIF', async () => {
    const { stdout } = await runCli(['lint', PAYLOAD, '-o', 'sarif']);

    expect(JSON.parse(stdout)).toMatchObject({
      version: '2.1.0',
      runs: [{ results: [{ ruleId: 'kmod-image-empty', level: 'error' }] }],
    });
  });

  it.each([
    [['lint', 'machine-config.yaml'], 2, 'Cannot lint machine-config.yaml: it is a file'],
    [['lint', `${RELEASE}:nowhere`], 8, 'Cannot find nowhere'],
    [['lint', OS_IMAGE, '--layers', '0'], 2, 'Write a number from 1 on'],
    [['lint', RELEASE], 8, 'Cannot choose an image in'],
  ])('%j ends with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await runCli(argv);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });
});
