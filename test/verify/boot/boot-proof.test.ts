import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Emulator, Guest, GuestRun } from '../../../src/engine/emulator.ts';
import type { BootError } from '../../../src/errors.ts';
import { parseKernelRelease } from '../../../src/spec/kernel-release.ts';
import { bootProof, type BootRequest } from '../../../src/verify/boot/boot-proof.ts';
import type { BootReport } from '../../../src/verify/boot/boot-report.ts';
import { makeTestIo, withTemporaryDirectory } from '../../support/io.ts';
import { makeProgram } from './make-program.ts';

const KERNEL = '6.1.0-56-amd64';
const TREE = `usr/lib/modules/${KERNEL}`;
const SIGNED = readFileSync('fixtures/modules/kl_provider.sha256.ko');

/** What a guest says: each text is one line of the kernel's log. */
function consoleOf(...lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line, at) => `[    1.${String(at).padStart(6, '0')}] ${line}\n`).join(''));
}

const START = [`kmodlayer: start`, `kmodlayer: release ${KERNEL}`];
const END = ['kmodlayer: tainted 12288', 'kmodlayer: done'];
const step = (number: number, code: number, state: string, ...said: readonly string[]): readonly string[] => [
  `kmodlayer: begin ${number}`,
  ...said,
  `kmodlayer: end ${number} ${code} ${state}`,
];
const refused = (number: number): readonly string[] =>
  step(number, 1, 'absent', 'Loading of module with unavailable key is rejected');

interface Booted {
  readonly report: BootReport;
  readonly guest: Guest;
}

/** Boots what does not exist: the emulator says what it is told to say. */
async function boot(
  said: Partial<GuestRun> & Pick<GuestRun, 'console'>,
  changes: Partial<BootRequest> = {},
): Promise<Booted> {
  return withTemporaryDirectory(async (directory) => {
    await makeRoot(directory);
    const guests: Guest[] = [];
    const emulator: Emulator = {
      version: 'An emulator 1.0',
      findFirmware: () => Promise.resolve('/firmware'),
      boot: (guest) => {
        guests.push(guest);
        const run = {
          end: 'finished',
          accelerator: 'tcg',
          firmware: undefined,
          ms: 7,
          timeoutMs: 9000,
        } as const;
        return Promise.resolve({ ...run, ...said });
      },
    };
    const report = await bootProof(
      {
        subject: 'a root',
        source: { type: 'directory', path: directory },
        arch: 'x86_64',
        kernel: parseKernelRelease(KERNEL),
        modules: ['kl_provider'],
        ...changes,
      },
      makeTestIo({ emulator: () => Promise.resolve(emulator) }),
    );
    const [guest] = guests;
    if (guest === undefined) throw new Error('Nothing was booted');
    return { report, guest };
  });
}

async function makeRoot(directory: string): Promise<void> {
  const program = makeProgram({ libraries: ['libc.so.6'] });
  const files: Readonly<Record<string, string | Uint8Array>> = {
    ...Object.fromEntries(
      ['sh', 'mount', 'cat', 'modprobe', 'insmod', 'rmmod', 'lsmod'].map((name) => [
        `usr/bin/${name}`,
        program,
      ]),
    ),
    'usr/lib64/libc.so.6': makeProgram(),
    [`${TREE}/vmlinuz`]: 'vmlinuz',
    [`${TREE}/modules.dep`]: 'extra/kl_provider.ko:\nkernel/other.ko:\n',
    [`${TREE}/extra/kl_provider.ko`]: SIGNED,
    [`${TREE}/kernel/other.ko`]: 'other',
    'etc/modprobe.d/a.conf': 'options kl_provider x=1\n',
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  await symlink('usr/bin', join(directory, 'bin'));
}

const SECURE_BOOT = { secureBoot: { certificates: [], place: 'db' } } as const;

describe('bootProof()', () => {
  it('puts kernel, userland, module and configuration into the guest, and what it is to do', async () => {
    const { report, guest } = await boot({
      console: consoleOf(...START, ...step(1, 0, 'live'), ...END),
    });

    expect(Buffer.from(guest.kernel).toString()).toBe('vmlinuz');
    const initramfs = Buffer.from(guest.initramfs).toString('latin1');
    for (const text of [
      `${TREE}/extra/kl_provider.ko\0`,
      'modprobe kl_provider\n',
      'options kl_provider x=1',
      'usr/bin/sh\0',
    ])
      expect(initramfs).toContain(text);
    expect(initramfs).not.toContain('kernel/other.ko\0');
    expect(report).toMatchObject({
      verdict: 'passes',
      statement: `kernel ${KERNEL} booted and loaded kl_provider`,
      emulator: { version: 'An emulator 1.0', accelerator: 'tcg', firmware: undefined },
      kernelRelease: KERNEL,
      secureBoot: false,
      modules: [{ name: 'kl_provider', outcome: 'loaded', exitCode: 0, messages: [] }],
      controls: [],
      tainted: 12288,
      taints: ['out-of-tree module (O)', 'unsigned module (E)'],
      times: { bootMs: 7 },
    });
  });

  it('makes the same initramfs each time', async () => {
    const said = { console: consoleOf(...START, ...END) };

    const [one, other] = [await boot(said), await boot(said)];

    expect(Buffer.from(one.guest.initramfs).equals(other.guest.initramfs)).toBe(true);
  });

  it('puts files on top', async () => {
    const { guest } = await boot(
      { console: consoleOf(...START, ...END) },
      {
        modules: ['added'],
        added: new Map([
          [`${TREE}/extra/added.ko`, Buffer.from('an added module')],
          [`${TREE}/modules.dep`, Buffer.from('extra/added.ko:\n')],
          ['usr/lib/modprobe.d/added.conf', Buffer.from('options added y=2\n')],
        ]),
      },
    );

    const initramfs = Buffer.from(guest.initramfs).toString('latin1');
    for (const text of ['an added module', 'modprobe added\n', 'options added y=2'])
      expect(initramfs).toContain(text);
  });

  it('passes a module whose init() finds no hardware, and says so', async () => {
    const { report } = await boot({
      console: consoleOf(
        ...START,
        ...step(1, 1, 'absent', 'initcall f+0x0/0x1 [kl_provider] returned -19 after 3 usecs'),
        ...END,
      ),
    });

    expect(report.verdict).toBe('passes');
    expect(report.statement).toBe(
      `kernel ${KERNEL} booted and took kl_provider, whose init() found no hardware to drive`,
    );
  });

  it.each([
    [
      'a module that was refused',
      [...START, ...step(1, 1, 'absent', 'kl_provider: Unknown symbol x (err -2)'), ...END],
      {},
      'the kernel refused kl_provider: kl_provider: Unknown symbol x (err -2)',
    ],
    [
      'a key that is not known',
      [...START, ...refused(1), ...END],
      {},
      'the kernel refused kl_provider: Loading of module with unavailable key is rejected; the certificate of its key is neither enrolled nor built into the kernel',
    ],
    [
      'an init function that failed',
      [
        ...START,
        ...step(1, 1, 'absent', 'initcall f+0x0/0x1 [kl_provider] returned -22 after 3 usecs'),
        ...END,
      ],
      {},
      'the kernel took kl_provider, and then init() of kl_provider returned -22',
    ],
    [
      'a guest that hangs in init',
      [...START, 'kmodlayer: begin 1', 'calling  f+0x0/0x1 [kl_provider] @ 1'],
      { end: 'timeout' },
      'the kernel took kl_provider, and then init() of kl_provider did not return (after 9 s)',
    ],
    ['a guest that ends early', START, { end: 'ended' }, 'the guest ended before it came to kl_provider'],
    [
      'a guest that never starts',
      ['Kernel panic - not syncing: no init'],
      { end: 'ended' },
      'the guest ended before it came up; its last words: Kernel panic - not syncing: no init',
    ],
    [
      'a guest that hangs',
      ['Booting'],
      { end: 'timeout' },
      'the guest did not come up within 9 s; its last words: [    1.000000] Booting',
    ],
    [
      'another kernel',
      ['kmodlayer: start', 'kmodlayer: release 6.0', ...step(1, 0, 'live'), ...END],
      {},
      `the kernel that booted is 6.0, not ${KERNEL}`,
    ],
    [
      'a guest that does not say the end',
      [...START, ...step(1, 0, 'live')],
      { end: 'ended' },
      'the guest ended before it had told everything',
    ],
  ] as const)('fails for %s', async (_, lines, run, statement) => {
    const { report } = await boot({ console: consoleOf(...lines), ...run });

    expect(report).toMatchObject({ verdict: 'fails', statement });
  });
});

describe('bootProof() with Secure Boot', () => {
  const enforced = [
    ...START,
    'kmodlayer: lockdown none [integrity] confidentiality',
    'kmodlayer: enforced Y',
  ];

  it.each([
    [
      [],
      'the kernel took no certificate from the firmware: one that was built with CONFIG_EFI_DISABLE_RUNTIME',
    ],
    [
      ['integrity: Loading X.509 certificate: UEFI:db'],
      'the certificate of its key is neither enrolled nor built into the kernel',
    ],
  ])('tells a kernel that did not ask the firmware from one that did: %j', async (said, why) => {
    const { report } = await boot(
      { console: consoleOf(...said, ...enforced, ...[1, 2, 3, 4].flatMap(refused), ...END) },
      { secureBoot: { certificates: [Buffer.from('a certificate')], place: 'db' } },
    );

    expect(report.statement).toContain(why);
  });

  it('tries copies that must be refused first', async () => {
    const { report, guest } = await boot(
      { console: consoleOf(...enforced, ...[1, 2, 3].flatMap(refused), ...step(4, 0, 'live'), ...END) },
      SECURE_BOOT,
    );

    expect(Buffer.from(guest.initramfs).toString('latin1')).toContain(
      [1, 2, 3].map((number) => `try kl_provider /kmodlayer/${number}.ko\n`).join('') +
        'modprobe kl_provider\n',
    );
    expect(guest.makeVariables).toBeDefined();
    expect(report).toMatchObject({
      verdict: 'passes',
      statement: `kernel ${KERNEL} booted with Secure Boot and loaded kl_provider; refused 3 copies that it must refuse`,
      lockdown: 'integrity',
      isSignatureEnforced: true,
      controls: [
        { name: 'kl_provider', kind: 'unsigned', outcome: 'refused' },
        { name: 'kl_provider', kind: 'tampered', outcome: 'refused' },
        { name: 'kl_provider', kind: 'wrong-key', outcome: 'refused' },
      ],
    });
  });

  it.each([
    [
      'a kernel that does not enforce',
      [...START, ...[1, 2, 3].flatMap(refused), ...step(4, 0, 'live'), ...END],
      'the kernel does not enforce signatures',
    ],
    [
      'a copy that was loaded',
      [...enforced, ...refused(1), ...step(2, 0, 'live'), ...refused(3), ...step(4, 0, 'live'), ...END],
      'the kernel took a copy of kl_provider changed after it was signed',
    ],
    [
      'a refusal for another reason',
      [
        ...enforced,
        ...refused(1),
        ...refused(2),
        ...step(3, 1, 'absent', 'Unknown symbol'),
        ...step(4, 0, 'live'),
        ...END,
      ],
      'a copy of kl_provider signed by a key that nobody trusts was refused, but not for its signature: Unknown symbol',
    ],
    [
      'copies that were not tried',
      enforced,
      'the guest ended before a copy of kl_provider without a signature was tried',
    ],
  ] as const)('fails for %s', async (_, lines, statement) => {
    const { report } = await boot({ console: consoleOf(...lines) }, SECURE_BOOT);

    expect(report.verdict).toBe('fails');
    expect(report.statement).toContain(statement);
  });

  it('is refused on other architectures', async () => {
    const booting = boot({ console: Buffer.alloc(0) }, { ...SECURE_BOOT, arch: 'aarch64' });

    await expect(booting).rejects.toMatchObject({ code: 'ARCH_UNSUPPORTED' } satisfies Partial<BootError>);
  });
});
