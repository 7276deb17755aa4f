import { describe, expect, it } from 'vitest';
import { bootText } from '../../cli/report/boot-text.ts';
import { makeStyle } from '../../cli/report/style.ts';
import type { BootReport } from '../../src/verify/boot/boot-report.ts';
import { runCli } from '../support/cli.ts';

const OS_IMAGE =
  'oci:fixtures/quickstart/release@sha256:fc207f7cc069fa3f351b713153e4c31f8cf1313132809f30e2d207b25cb7371b';
const MODULES = ['fixtures/modules/kl_provider.sha256.ko', 'fixtures/modules/kl_consumer.ko'];
const ON_IMAGE = ['verify', '--base', OS_IMAGE, ...MODULES];

describe('kmodlayer verify --boot', () => {
  it.each([
    ['--enrol', ['--enrol', 'mok']],
    ['--enrol with --boot alone', ['--boot', '--enrol', 'db']],
    ['--boot-timeout', ['--boot-timeout', '10']],
    ['--boot-root', ['--boot-root', '/']],
    ['--boot-arg', ['--boot-arg', 'efi=runtime']],
    ['a time that is none', ['--boot', '--boot-timeout', '0']],
    ['an unknown place', ['--secure-boot', '--enrol', 'tpm']],
  ])('does not take %s', async (_, flags) => {
    const { exitCode, stderr } = await runCli([...ON_IMAGE, ...flags]);

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/error:|hint:/);
  });

  it('says that there is no emulator before anything else', async () => {
    const { exitCode, stdout, stderr } = await runCli([...ON_IMAGE, '--boot'], {
      env: { KMODLAYER_QEMU: 'qemu-that-is-not-there' },
    });

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('qemu-that-is-not-there is not there');
  });
});

const BOOT: BootReport = {
  verdict: 'fails',
  statement: 'the kernel refused ice',
  emulator: { version: 'QEMU emulator version 7.2.22', accelerator: 'tcg', firmware: 'OVMF_CODE_4M.fd' },
  kernelRelease: '6.1.0-56-amd64',
  secureBoot: true,
  lockdown: 'integrity',
  isSignatureEnforced: true,
  modules: [
    {
      name: 'ice',
      outcome: 'refused',
      exitCode: 1,
      messages: ['one', 'two', 'three', 'four', 'five', 'six'],
    },
    { name: 'gnss', outcome: 'needs-hardware', exitCode: 1, messages: ['init() of gnss returned -19'] },
    { name: 'last', outcome: 'not-reached', messages: [] },
  ],
  controls: [
    { name: 'ice', kind: 'unsigned', outcome: 'refused', messages: ['Key was rejected by service'] },
    { name: 'ice', kind: 'tampered', outcome: 'loaded', messages: ['a surprise'] },
  ],
  tainted: 4096,
  taints: ['out-of-tree module (O)'],
  loadedModules: ['Module  Size  Used by'],
  kernelLog: ['secureboot: Secure boot enabled'],
  console: '',
  times: { initramfsMs: 100, bootMs: 8200 },
};

describe('bootText()', () => {
  it('shows what became of modules and copies, lsmod and taint', () => {
    expect(bootText(BOOT, { style: makeStyle(false), isVerbose: false })).toBe(
      [
        '  fails   kernel 6.1.0-56-amd64  QEMU emulator version 7.2.22; without KVM; Secure Boot by OVMF_CODE_4M.fd; lockdown integrity; 8.2 s',
        '    refused  ice without its signature',
        '    loaded  ice changed after it was signed',
        '      a surprise',
        '    refused  ice',
        ...['one', 'two', 'three', 'four', 'five'].map((text) => `      ${text}`),
        '      and 1 more',
        '    needs-hardware  gnss',
        '      init() of gnss returned -19',
        '    not-reached  last',
        '    | Module  Size  Used by',
        '    tainted 4096: out-of-tree module (O)',
        '',
      ].join('\n'),
    );
  });

  it('shows the log of the kernel with everything else', () => {
    const text = bootText(BOOT, { style: makeStyle(false), isVerbose: true });

    expect(text).toContain('      Key was rejected by service\n');
    expect(text).toContain('    > secureboot: Secure boot enabled\n');
  });
});
