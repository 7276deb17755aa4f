import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

const OS_IMAGE =
  'oci:fixtures/quickstart/release@sha256:fc207f7cc069fa3f351b713153e4c31f8cf1313132809f30e2d207b25cb7371b';

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
        added: { modules: [] },
        changes: {
          baseLayers: 0,
          foundBy: 'whole',
          entries: expect.arrayContaining([
            expect.objectContaining({ path: 'release-manifests/image-references', change: 'added' }),
          ]) as unknown,
          totals: { added: { count: 5 }, replaced: { count: 0, sizeBytes: 0 } },
        },
      },
    });
  });

  it('draws what an image holds as a tree', async () => {
    const { exitCode, stdout } = await runCli(['inspect', 'oci:fixtures/quickstart/release:4.18.4']);

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^├── release-manifests\/ +18 kB$/m);
    expect(stdout).toMatch(/^│ {3}├── \+ image-references +16 kB$/m);
    expect(stdout).toMatch(/^\+ 5 added \(18 kB\)$/m);
  });

  it('says that nothing was added to an OS image', async () => {
    const { stdout } = await runCli(['inspect', OS_IMAGE]);

    expect(stdout).toMatch(/^layers +\d+, .*, none of them added$/m);
    expect(stdout).not.toContain('──');
  });

  it('takes the word of the user for where the base ends', async () => {
    const { stdout } = await runCli([
      ...['inspect', 'oci:fixtures/quickstart/release:4.18.4', '--layers', '1', '--read-base'],
    ]);

    expect(stdout).toMatch(/^layers +2, 3.2 kB; the last one was added \(.*\), as --layers says$/m);
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
