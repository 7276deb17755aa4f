import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConsole } from '../../../src/verify/boot/console.ts';

const CONSOLE = [
  '\x1b[2J\x1b[01;01HBdsDxe: starting Boot0001\r',
  '[    0.000000] Linux version 6.1.0-56-amd64\r',
  '[    0.500000] initcall something+0x0/0x10 returned 0 after 12 usecs\r',
  '[    2.000001] kmodlayer: start\r',
  '[    2.000002] kmodlayer: release 6.1.0-56-amd64\r',
  '[    2.000003] kmodlayer: lockdown none [integrity] confidentiality\r',
  '[    2.000004] kmodlayer: enforced Y\r',
  '[    2.100000] kmodlayer: begin 1\r',
  '[    2.100001] calling  one_init+0x0/0x1000 [one] @ 61\r',
  '[    2.100002][   T61] one: hello\r',
  '[    2.100003] probe of one.0 returned 0 after 3 usecs\r',
  '[    2.100004] initcall one_init+0x0/0x1000 [one] returned 0 after 77 usecs\r',
  '[    2.200000] kmodlayer: end 1 0 live\r',
  '[    2.300000] kmodlayer: begin 2\r',
  '[    2.300001] calling  two_init+0x0/0x1000 [two] @ 62\r',
  '[    2.300002] initcall two_init+0x0/0x1000 [two] returned -19 after 77 usecs\r',
  "[    2.300003] kmodlayer: output 2 modprobe: ERROR: could not insert 'two': No such device\r",
  '[    2.300004] kmodlayer: end 2 1 absent\r',
  '[    2.400000] kmodlayer: lsmod Module                  Size  Used by\r',
  '[    2.400001] kmodlayer: lsmod one                    16384  0\r',
  '[    2.400002] kmodlayer: tainted 12288\r',
  '[    2.400003] kmodlayer: done\r',
  '[    2.500000] reboot: Power down\r',
].join('\n');

describe('parseConsole()', () => {
  it('reads what the guest told', () => {
    const seen = parseConsole(Buffer.from(CONSOLE));

    expect(seen).toMatchObject({
      isComplete: true,
      hasStarted: true,
      kernelRelease: '6.1.0-56-amd64',
      lockdown: 'integrity',
      isSignatureEnforced: true,
      tainted: 12288,
      loadedModules: ['Module                  Size  Used by', 'one                    16384  0'],
      kernelLog: ['Linux version 6.1.0-56-amd64', 'one: hello', 'reboot: Power down'],
    });
    expect(seen.steps).toEqual(
      new Map([
        [
          1,
          {
            exitCode: 0,
            state: 'live',
            output: [],
            kernel: ['one: hello'],
            initCalls: [{ module: 'one', returned: 0 }],
          },
        ],
        [
          2,
          {
            exitCode: 1,
            state: 'absent',
            output: ["modprobe: ERROR: could not insert 'two': No such device"],
            kernel: [],
            initCalls: [{ module: 'two', returned: -19 }],
          },
        ],
      ]),
    );
  });

  it('keeps the console without control characters', () => {
    const { text } = parseConsole(Buffer.from(CONSOLE));

    expect(text).toContain('BdsDxe: starting Boot0001\n[    0.000000] Linux');

    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
  });

  it('tells a guest that stopped in the middle of a step', () => {
    const { isComplete, hasStarted, steps } = parseConsole(
      Buffer.from(CONSOLE.slice(0, CONSOLE.indexOf('[    2.300002]'))),
    );

    expect({ isComplete, hasStarted }).toEqual({ isComplete: false, hasStarted: true });
    expect(steps.get(2)).toMatchObject({
      exitCode: undefined,
      initCalls: [{ module: 'two', returned: undefined }],
    });
  });

  it('says nothing of a guest that never started', () => {
    const seen = parseConsole(Buffer.from('Booting from ROM...\n[    1.0] Kernel panic\n'));

    expect(seen).toMatchObject({
      isComplete: false,
      hasStarted: false,
      kernelRelease: undefined,
      lockdown: undefined,
      isSignatureEnforced: false,
      tainted: undefined,
    });
  });

  it('takes any bytes', () => {
    const piece = fc.oneof(
      fc.constantFrom(...CONSOLE.split(/(?<=\n)|(?<= )/)),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );

    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const seen = parseConsole(Buffer.from(pieces.join(''), 'latin1'));

        expect(seen.text.length).toBeLessThanOrEqual(pieces.join('').length);
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 1000) },
    );
  });
});
