import type { BootReport, ControlBoot } from '../../../src/verify/boot/boot-report.ts';
import { formatDuration } from '../sizes.ts';
import { code, definitions, folded, list, section, table } from './elements.ts';
import { longText, markup, type Html, type Part } from './html.ts';
import { counted, firstOf, type Limits } from './limits.ts';
import { controlMark, outcomeMark, verdictMark } from './marks.ts';

const KINDS: Readonly<Record<ControlBoot['kind'], string>> = {
  unsigned: 'without its signature',
  tampered: 'with one byte changed',
  'wrong-key': 'signed with a key that nobody enrolled',
};

/** What one boot showed, with its logs. */
export function bootSection(boot: BootReport, id: string, limits: Limits): Html {
  return section({ level: 3, id: `${id}-boot`, text: ['Boot ', verdictMark(boot.verdict)] }, [
    markup`<p>${boot.statement}</p>`,
    facts(boot),
    modules(boot, limits),
    boot.controls.length === 0 ? undefined : controls(boot, limits),
    log('Modules that were loaded', boot.loadedModules.join('\n'), limits),
    log('Log of the kernel', boot.kernelLog.join('\n'), limits),
    log('Console', boot.console, limits, true),
  ]);
}

function facts(boot: BootReport): Part {
  const { emulator, secureBoot, lockdown, tainted, taints, times } = boot;
  const accelerator = emulator.accelerator === 'kvm' ? 'with KVM' : 'without KVM (TCG)';
  return definitions('facts', [
    ['Kernel', code(boot.kernelRelease)],
    ['Emulator', `${emulator.version}, ${accelerator}`],
    ['Secure Boot', secureBoot ? `on, with ${emulator.firmware ?? 'firmware of the machine'}` : 'off'],
    ['Lockdown', lockdown ?? 'the kernel has none'],
    ['Signatures', boot.isSignatureEnforced ? 'enforced' : 'not enforced'],
    ['Taint', taints.length === 0 ? tainted : `${tainted}: ${taints.join('; ')}`],
    [
      'Time',
      `${formatDuration(times.initramfsMs)} for the initramfs, ${formatDuration(times.bootMs)} for the boot`,
    ],
  ]);
}

function modules(boot: BootReport, limits: Limits): Html {
  return table({
    kind: 'checks',
    caption: 'What the booted kernel did with each module',
    columns: ['Module', 'What was said'],
    rows: boot.modules,
    cells: ({ name, outcome, exitCode, messages }) => [
      [code(name), ' ', outcomeMark(outcome)],
      [
        said(messages, limits),
        exitCode === undefined
          ? undefined
          : markup`<span class="faint">modprobe ended with ${exitCode}</span>`,
      ],
    ],
    limit: limits.rows,
  });
}

function controls(boot: BootReport, limits: Limits): Html {
  return table({
    kind: 'checks',
    caption: 'Copies that the kernel must refuse',
    columns: ['Copy', 'What was said'],
    rows: boot.controls,
    cells: (control) => [
      [code(control.name), ' ', KINDS[control.kind], ' ', controlMark(control)],
      said(control.messages, limits),
    ],
    limit: limits.rows,
  });
}

function said(messages: readonly string[], limits: Limits): Part {
  return list(firstOf(messages, Math.min(20, limits.rows)), code);
}

function log(title: string, text: string, { logCharacters }: Limits, isLong = false): Part {
  const trimmed = text.trimEnd();
  if (trimmed === '') return undefined;
  return folded({
    summary: `${title}, ${counted(trimmed.split('\n').length, 'line')}`,
    content: markup`<pre>${longText(trimmed, logCharacters)}</pre>`,
    isLong,
  });
}
