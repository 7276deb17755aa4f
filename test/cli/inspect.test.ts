import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

describe('kmodlayer inspect', () => {
  it('prints what modinfo prints, and the signature', async () => {
    const { exitCode, stdout } = await runCli(['inspect', 'fixtures/modules/kl_provider.sha256.ko']);

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^name +kl_provider$/m);
    expect(stdout).toMatch(/^kernel +6\.1\.0-56-amd64$/m);
    expect(stdout).toMatch(/^signature +.+ [0-9A-F]{2}(?::[0-9A-F]{2})+ \(sha256\)$/m);
  });

  it('reads packed modules and prints symbols with CRCs as JSON', async () => {
    const { stdout } = await runCli(['inspect', 'fixtures/modules/kl_provider.ko.xz', '-o', 'json']);

    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'kmodlayer/inspect/v1',
      module: {
        compression: 'xz',
        name: 'kl_provider',
        arch: 'x86_64',
        signature: null,
        exports: expect.arrayContaining([
          expect.objectContaining({ crc: expect.stringMatching(/^0x[0-9a-f]{8}$/) as unknown }),
        ]) as unknown,
      },
    });
  });

  it('prints what an image is', async () => {
    const { exitCode, stdout } = await runCli([
      'inspect',
      'oci:fixtures/quickstart/release:4.18.4',
      '-o',
      'json',
    ]);

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      image: {
        reference: expect.stringMatching(/^oci:fixtures\/quickstart\/release@sha256:/) as unknown,
        architecture: 'amd64',
        added: null,
      },
    });
  });

  it.each([
    ['fixtures/modules/README.md', 8, 'error: Cannot'],
    ['./README.nowhere', 2, 'Cannot read ./README.nowhere: there is no such file'],
    ['./fixtures/modules/README.md', 6, 'error: Cannot'],
    ['fixtures', 2, 'Cannot read fixtures: it is a directory'],
  ])('ends for %s with %i', async (name, expected, message) => {
    const { exitCode, stderr } = await runCli(['inspect', name]);

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });
});
