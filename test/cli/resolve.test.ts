import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../support/cli.ts';

const RELEASE = 'oci:fixtures/quickstart/release:4.18.4';
const KERNEL = '6.1.0-56-amd64';

describe('kmodlayer resolve', () => {
  it('prints what a release is made of', async () => {
    const { exitCode, stdout } = await runCli(['resolve', RELEASE]);

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^4\.18\.4 {2}x86_64 {2}rhel-9/);
    expect(stdout).toMatch(/^ {2}payload +oci:fixtures\/quickstart\/release@sha256:/m);
    expect(stdout).toMatch(/^ {2}OS image +.*@sha256:/m);
    expect(stdout).toMatch(/^ {2}driver-toolkit +.*@sha256:/m);
    expect(stdout).toMatch(new RegExp(`^ {2}kernel default +${KERNEL}$`, 'm'));
  });

  it.each(['json', 'yaml'])('prints %s with a schema', async (format) => {
    const { exitCode, stdout } = await runCli(['resolve', RELEASE, '-o', format]);

    // JSON is YAML, too.
    expect(exitCode).toBe(0);
    expect(parse(stdout)).toMatchObject({
      schema: 'kmodlayer/resolve/v1',
      targets: [
        {
          release: { version: '4.18.4' },
          arch: 'x86_64',
          stream: 'rhel-9',
          osImage: { name: 'rhel-coreos', kernel: KERNEL },
          driverToolkit: { kernel: KERNEL },
          kernels: expect.arrayContaining([
            { flavour: 'default', release: KERNEL, isInOsImage: true },
          ]) as unknown,
        },
      ],
    });
  });

  it('prints what could be resolved and ends with 9 when the rest could not', async () => {
    const { exitCode, stdout, stderr } = await runCli([
      'resolve',
      RELEASE,
      'oci:fixtures/quickstart/nowhere:4.18.4',
      '-o',
      'json',
    ]);

    expect(exitCode).toBe(9);
    expect((JSON.parse(stdout) as { targets: unknown[] }).targets).toHaveLength(1);
    expect(stderr).toContain('error: Cannot resolve 1 of 2 releases');
  });

  it.each([
    [['latest'], 4, 'it is neither a version nor an image'],
    [[RELEASE, '--stream', 'rhel-99'], 4, 'rhel-99'],
    [['oci:fixtures/quickstart/nowhere:1'], 8, 'error: Cannot'],
    [[RELEASE, '--arch', 'sparc'], 2, 'Known architectures: x86_64'],
    [[RELEASE, '-o', 'xml'], 2, 'Allowed choices are table, json, yaml'],
  ])('ends %j with %i', async (argv, expected, message) => {
    const { exitCode, stdout, stderr } = await runCli(['resolve', ...argv]);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
    expect(stdout).toBe('');
  });

  it('stops when it is interrupted', async () => {
    const { exitCode, stderr } = await runCli(['resolve', RELEASE], { signal: AbortSignal.abort() });

    expect(exitCode).toBe(130);
    expect(stderr).toContain('Stopped.');
  });
});

describe('kmodlayer resolve through mirrors', () => {
  it('ends with 4 for a file that holds no mirror set', async () => {
    const { exitCode, stderr } = await runCli(['resolve', RELEASE, '--idms', 'fixtures/specs/minimal.yaml']);

    expect(exitCode).toBe(4);
    expect(stderr).toContain('it holds no mirror set');
  });
});
