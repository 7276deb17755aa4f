import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quickstart } from '../../cli/quickstart/quickstart.ts';
import { contextOf, type CliRun } from '../support/cli.ts';

let temporary = '';

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(async () => {
  await rm(temporary, { recursive: true, force: true });
});

/** Runs the quickstart with an environment that has next to nothing: no PATH, no home that could be written. */
async function runQuickstart(...argv: readonly string[]): Promise<CliRun> {
  const env = { TMPDIR: temporary, HOME: '/nonexistent' };
  const { context, written } = contextOf({ env });
  const exitCode = await quickstart(argv, context);
  return { exitCode, ...written };
}

describe('npm run quickstart', () => {
  it('shows a release, a layer with its signer, what was pushed, and its MachineConfig', async () => {
    const { exitCode, stdout, stderr } = await runQuickstart();

    expect(stderr).not.toMatch(/error|warning/);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^4\.18\.4 +x86_64 +rhel-9/m);
    expect(stdout).toMatch(/^ +kernel default +6\.1\.0-56-amd64$/m);
    expect(stdout).toMatch(/\+ kl_hello\.ko +\S.* kl_hello 1\.0\.0, signed by kmodlayer TEST ONLY/);
    expect(stdout).toMatch(/~ modules\.dep\.bin +\S/);
    const [, digest] = /^image +oci:published@(sha256:[0-9a-f]{64})$/m.exec(stdout)!;
    expect(stdout).toContain(`osImageURL: quay.example.com/acme/rhcos-hello@${digest}\n`);
  });

  it('shows every command as a user types it, and those for a cluster', async () => {
    const { stdout } = await runQuickstart();

    expect(stdout.match(/^\$ \S+ \S+/gm)).toEqual([
      '$ kmodlayer resolve',
      '$ cat kmodlayer.yaml',
      '$ kmodlayer build',
      '$ kmodlayer inspect',
      '$ kmodlayer machine-config',
    ]);
    expect(stdout).toMatch(
      /^ +skopeo copy --preserve-digests oci:published:\S+ docker:\/\/quay\.example\.com\//m,
    );
    expect(stdout).toMatch(/^ +oc apply -f manifests\/$/m);
  });

  it('leaves nothing behind', async () => {
    await runQuickstart();

    expect(await readdir(temporary)).toEqual([]);
  });

  it('keeps what it made with --keep', async () => {
    const { stdout } = await runQuickstart('--keep');

    const [, directory] = /^All of it is in (\S+)\.$/m.exec(stdout)!;
    const index = await readFile(join(directory!, 'published', 'index.json'), 'utf8');
    expect(stdout).toContain((JSON.parse(index) as { manifests: { digest: string }[] }).manifests[0]!.digest);
    expect(stdout).toContain(`oci:${directory!}/published:`);
  });

  it('makes the same image each time', async () => {
    const digests = await Promise.all(
      [1, 2].map(async () => /osImageURL: (\S+)/.exec((await runQuickstart()).stdout)?.[1]),
    );

    expect(digests[0]).toMatch(/@sha256:/);
    expect(digests[0]).toBe(digests[1]);
  });

  it('leaves the cache of the user alone', async () => {
    const cache = join(temporary, 'cache');
    await mkdir(cache);
    await chmod(cache, 0o500);
    const { context } = contextOf({
      env: { TMPDIR: temporary, XDG_CACHE_HOME: cache, HOME: '/nonexistent' },
    });

    const exitCode = await quickstart([], context);

    expect(exitCode).toBe(0);
    expect(await readdir(cache)).toEqual([]);
    await expect(access('/nonexistent')).rejects.toThrow('ENOENT');
  });

  it('ends with 2 for arguments that it does not know', async () => {
    const { exitCode, stdout, stderr } = await runQuickstart('--kep');

    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^Usage: npm run quickstart/);
  });
});
