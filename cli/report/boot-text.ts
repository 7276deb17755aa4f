import type { BootReport, ControlBoot, LoadOutcome } from '../../src/verify/boot/boot-report.ts';
import { plainLine } from './error-text.ts';
import { formatDuration } from './sizes.ts';
import type { Style } from './style.ts';

/** Messages of one module that people see; the other forms have all of them. */
const MESSAGES_SHOWN = 5;

const CONTROLS: Readonly<Record<ControlBoot['kind'], string>> = {
  unsigned: 'without its signature',
  tampered: 'changed after it was signed',
  'wrong-key': 'signed by a key that nobody trusts',
};

/** What a boot showed as people see it; with everything, also the log of the kernel. */
export function bootText(
  boot: BootReport,
  { style, isVerbose }: { readonly style: Style; readonly isVerbose: boolean },
): string {
  const { emulator, times, secureBoot, lockdown, tainted, taints } = boot;
  const how = [
    emulator.version,
    emulator.accelerator === 'kvm' ? 'with KVM' : 'without KVM',
    ...(secureBoot ? [`Secure Boot by ${emulator.firmware ?? 'its firmware'}`] : []),
    ...(lockdown === undefined ? [] : [`lockdown ${lockdown}`]),
    formatDuration(times.bootMs),
  ];
  return [
    `  ${boot.verdict === 'passes' ? 'boots ' : style.error('fails ')}  ${style.strong(`kernel ${plainLine(boot.kernelRelease)}`)}  ${style.faint(how.map(plainLine).join('; '))}\n`,
    ...boot.controls.map(({ name, kind, outcome, messages }) =>
      lineOf(outcome === 'refused' ? style.faint(outcome) : style.error(outcome), {
        what: `${plainLine(name)} ${CONTROLS[kind]}`,
        messages: outcome === 'refused' && !isVerbose ? [] : messages,
        style,
      }),
    ),
    ...boot.modules.map(({ name, outcome, messages }) =>
      lineOf(outcomeText(outcome, style), { what: style.strong(plainLine(name)), messages, style }),
    ),
    ...boot.loadedModules.map((line) => style.faint(`    | ${plainLine(line)}\n`)),
    style.faint(
      `    tainted ${tainted}${taints.length === 0 ? '' : `: ${taints.map(plainLine).join(', ')}`}\n`,
    ),
    ...(isVerbose ? boot.kernelLog.map((line) => style.faint(`    > ${plainLine(line)}\n`)) : []),
  ].join('');
}

function outcomeText(outcome: LoadOutcome, style: Style): string {
  switch (outcome) {
    case 'loaded':
      return outcome;
    case 'needs-hardware':
      return style.warning(outcome);
    case 'init-failed':
    case 'refused':
    case 'not-reached':
      return style.error(outcome);
  }
}

function lineOf(
  mark: string,
  {
    what,
    messages,
    style,
  }: { readonly what: string; readonly messages: readonly string[]; readonly style: Style },
): string {
  const more = messages.length - MESSAGES_SHOWN;
  return [
    `    ${mark}  ${what}\n`,
    ...messages.slice(0, MESSAGES_SHOWN).map((message) => `      ${style.faint(plainLine(message))}\n`),
    ...(more > 0 ? [`      and ${more} more\n`] : []),
  ].join('');
}
