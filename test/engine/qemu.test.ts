import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GuestRun } from '../../src/engine/emulator.ts';
import { findFirmware } from '../../src/engine/firmware.ts';
import { findQemu } from '../../src/engine/qemu.ts';
import type { BuildEvent } from '../../src/events.ts';

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-qemu-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

interface Told {
  readonly run: GuestRun;
  readonly events: readonly BuildEvent[];
  /** Temporary directories that were left behind. */
  readonly left: readonly string[];
}

/** Runs a guest in a program that answers `--version` as QEMU does, and otherwise does what the script says. */
async function boot(
  script: string,
  { accelerator = 'tcg', timeoutMs = 10_000, signal = new AbortController().signal } = {},
): Promise<Told> {
  const program = join(await mkdtemp(join(scratch, 'program-')), 'qemu');
  await writeFile(
    program,
    `#!/bin/sh\nif [ "$1" = --version ]; then echo "QEMU emulator version 9.9.9 (x)"; exit; fi\n${script}\n`,
  );
  await chmod(program, 0o755);
  const work = await mkdtemp(join(scratch, 'work-'));
  const events: BuildEvent[] = [];
  const emulator = await findQemu('x86_64', {
    env: { KMODLAYER_QEMU: program, KMODLAYER_ACCELERATOR: accelerator },
    withTemporaryDirectory: async (use) => {
      const directory = await mkdtemp(join(work, 'guest-'));
      try {
        return await use(directory);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    report: (event) => void events.push(event),
    signal,
  });
  const run = await emulator.boot({
    arch: 'x86_64',
    kernel: Buffer.from('kernel'),
    initramfs: Buffer.from('initramfs'),
    kernelArguments: ['loglevel=7'],
    memoryMiB: 100,
    lastWords: 'the end',
    timeoutMs,
    signal,
  });
  return { run, events, left: await readdir(work) };
}

function textOf({ console }: GuestRun): string {
  return Buffer.from(console).toString();
}

describe('findQemu()', () => {
  it('gives the console of a guest that came to its end, and leaves nothing behind', async () => {
    const { run, left } = await boot(
      'cat kernel initramfs > console; echo "$@" >> console; echo the end >> console',
    );

    expect(run).toMatchObject({
      end: 'finished',
      accelerator: 'tcg',
      firmware: undefined,
      timeoutMs: 10_000,
    });
    expect(textOf(run)).toMatch(/^kernelinitramfs-machine pc -accel tcg -cpu max -m 100 /);
    expect(textOf(run)).toContain('-append console=ttyS0 panic=-1 loglevel=7\n');
    expect(left).toEqual([]);
  });

  it('ends a guest that said its last words and goes on', async () => {
    const { run } = await boot('echo the end > console; exec sleep 100');

    expect(run.end).toBe('finished');
  });

  it('ends a guest whose time is up', async () => {
    const { run } = await boot('echo hello > console; exec sleep 100', { timeoutMs: 300 });

    expect(run.end).toBe('timeout');
    expect(textOf(run)).toBe('hello\n');
  });

  it('tells a guest that ended by itself without its last words', async () => {
    const { run } = await boot('echo panic > console');

    expect(run.end).toBe('ended');
  });

  it('goes on without KVM when that does not work', async () => {
    const { run, events } = await boot(
      'case "$*" in *kvm*) echo "kvm is broken" >&2; exit 1;; esac; echo the end > console',
      { accelerator: 'kvm' },
    );

    expect(run).toMatchObject({ end: 'finished', accelerator: 'tcg' });
    expect(events).toEqual([
      { type: 'detail', message: 'KVM does not work here (kvm is broken): booting without it' },
    ]);
  });

  it('says what QEMU said when it does not start', async () => {
    await expect(boot('echo "no such machine" >&2; exit 1')).rejects.toMatchObject({
      code: 'EMULATOR_FAILED',
      hint: 'no such machine',
    });
  });

  it('ends the guest on an interrupt', async () => {
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort();
    }, 300);

    const booting = boot('echo hello > console; exec sleep 100', { signal: controller.signal });

    await expect(booting).rejects.toMatchObject({ name: 'AbortError' });
  });

  it.each([
    ['is not there', '/nowhere/qemu'],
    ['is no QEMU', '/bin/true'],
  ])('says how to get it when the program %s', async (what, program) => {
    const finding = findQemu('x86_64', {
      env: { KMODLAYER_QEMU: program },
      withTemporaryDirectory: (use) => use('/nowhere'),
      report: () => undefined,
      signal: new AbortController().signal,
    });

    await expect(finding).rejects.toMatchObject({
      code: 'EMULATOR_MISSING',
      message: expect.stringContaining(what) as string,
      hint: expect.stringMatching(/Fedora.*RHEL.*Debian/) as string,
    });
  });
});

describe('findFirmware()', () => {
  it('takes what is named, and sees by the name what it needs', async () => {
    const [code, variables] = [join(scratch, 'OVMF_CODE.secboot.fd'), join(scratch, 'OVMF_VARS.fd')];
    await writeFile(code, '');
    await writeFile(variables, '');

    const firmware = await findFirmware({ KMODLAYER_OVMF_CODE: code, KMODLAYER_OVMF_VARS: variables });

    expect(firmware).toEqual({ code, variables, needsSmm: true });
  });

  it('does not fall back to another when the one that is named is missing', async () => {
    await expect(findFirmware({ KMODLAYER_OVMF_CODE: '/nowhere/code' })).rejects.toMatchObject({
      code: 'FIRMWARE_MISSING',
    });
  });
});
