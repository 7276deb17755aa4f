import { describe, expect, it } from 'vitest';
import { makeStyle } from '../../../cli/report/style.ts';
import { verifyText } from '../../../cli/report/verify-text.ts';
import { brokenIceOf, targetOf, verifyReportOf, withTexts } from '../../support/verify-reports.ts';

function textOf(report = verifyReportOf(), given = { isVerbose: false, isColoured: false }): string {
  return verifyText(report, { style: makeStyle(given.isColoured), isVerbose: given.isVerbose });
}

describe('verifyText()', () => {
  it('says what fails, with values below each other and each hint once', () => {
    const module = {
      ...brokenIceOf(),
      checks: brokenIceOf().checks.map((check) =>
        check.status === 'fail' ? { ...check, hint: 'Build the driver again.' } : check,
      ),
    };
    const text = textOf({
      verdict: 'fails',
      targets: [targetOf({ verdict: 'fails', statement: '1 module would not load: ice', modules: [module] })],
    });

    expect(text).toContain(
      '\nFAILS  1 module would not load: ice\n  fails   ice  extra/ice/ice.ko.xz; needs ',
    );
    expect(text).toContain(
      [
        '    warn vermagic  the release differs, which a kernel with symbol versions does not mind',
        '      wanted   6.12.94+deb12-amd64 SMP preempt mod_unload modversions ',
        '      found    6.1.0-56-amd64 SMP preempt mod_unload modversions ',
        '      from     kernel/fs/ext4/ext4.ko.xz',
        '    fail symbols  1 imported symbol is exported by nothing',
        '      dev_change_flags: exported by nothing  (found 0x8d3f2c11)',
        '      hint: Build the driver again.',
        '    fail symbol-crcs  2 of 17 imported symbols have another version',
        '      ethtool_op_get_ts_info: has another version  (wanted 0x1e4c00d9, found 0x5ad1b7f2, from vmlinux)',
      ].join('\n'),
    );
    expect(text.match(/Build the driver again/g)).toHaveLength(1);
    expect(text).not.toContain('    pass ');
  });

  it('says equal values once, and nothing for an empty one', () => {
    const checks = [
      { id: 'name', status: 'pass', message: 'fits', wanted: 'ice', found: 'ice' },
      { id: 'dependencies', status: 'warn', message: 'differs', wanted: '', found: 'gnss' },
    ] as const;
    const report = {
      verdict: 'passes' as const,
      targets: [targetOf({ modules: [{ ...brokenIceOf(), checks }] })],
    };

    expect(textOf(report, { isVerbose: true, isColoured: false })).toContain(
      [
        '    pass name  fits',
        '      value   ice',
        '    warn dependencies  differs',
        '      wanted   nothing',
        '      found    gnss',
        '',
      ].join('\n'),
    );
  });

  it('is the same with and without colours, which only a terminal gets', () => {
    const coloured = textOf(verifyReportOf(), { isVerbose: true, isColoured: true });

    expect(coloured).toContain('\u001b[32mPASSES');
    expect(coloured).toContain('\u001b[31mFAILS');
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(
      textOf(verifyReportOf(), { isVerbose: true, isColoured: false }),
    );
  });

  it('lets no text from outside steer the terminal', () => {
    const hostile = withTexts(verifyReportOf(), (text) => `${text}\u001b[2J\u009b31m\r\u0007`);

    expect(textOf(hostile, { isVerbose: true, isColoured: false })).not.toMatch(/[\u001b\u009b\r\u0007]/);
  });

  it('lets no text from outside write lines of its own', () => {
    const forged = textOf(withTexts(verifyReportOf(), (text) => `${text}\nPASSES  all is well`));

    expect(forged.match(/^PASSES/gm)).toHaveLength(2);
    expect(forged.split('\n')).toHaveLength(textOf().split('\n').length);
  });
});
