import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

interface Report {
  readonly checks: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
}

describe('kmodlayer doctor', () => {
  it('says what it found, and what to do about what it did not find', async () => {
    const { exitCode, stdout } = await runCli(['doctor'], {
      env: {
        KMODLAYER_ENGINE: 'podman-that-is-not-there',
        KMODLAYER_QEMU: 'qemu-that-is-not-there',
        KMODLAYER_OVMF_CODE: '/nowhere/code',
        HTTPS_PROXY: 'http://me:hunter2@proxy:3128',
      },
    });

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^warning +credentials for quay\.io\/.* +none found$/m);
    expect(stdout).toMatch(/^ok +proxy for quay\.io +http:\/\/proxy:3128\/$/m);
    expect(stdout).toMatch(/^warning +container engine +/m);
    expect(stdout).toMatch(/^warning +emulator +.*qemu-that-is-not-there is not there$/m);
    expect(stdout).toMatch(/^warning +firmware +/m);
    expect(stdout).toMatch(/^(?:ok|warning) +KVM +\/dev\/kvm can/m);
    expect(stdout).toContain('Get a pull secret from https://console.redhat.com/');
    expect(stdout).not.toContain('hunter2');
  });

  it('finds credentials without showing them', async () => {
    const { stdout } = await runCli(
      ['doctor', 'quay.io/acme', '--authfile', 'fixtures/auth/pull-secret.json', '-o', 'json'],
      { env: { KMODLAYER_ENGINE: 'podman-that-is-not-there' } },
    );

    const { checks } = JSON.parse(stdout) as Report;
    expect(checks[0]).toEqual({
      name: 'credentials for quay.io/acme',
      status: 'ok',
      detail: expect.stringMatching(/^found in \/.*fixtures\/auth\/pull-secret\.json$/) as unknown,
    });
    expect(stdout).not.toContain('hunter2');
  });

  it('ends with 1 when something is broken', async () => {
    const { exitCode, stdout } = await runCli(['doctor', '--authfile', 'package-lock.nowhere'], {
      env: { KMODLAYER_ENGINE: 'podman-that-is-not-there' },
    });

    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^error +credentials for quay\.io/m);
  });
});
