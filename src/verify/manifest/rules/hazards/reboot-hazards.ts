import type { Report } from '../../finding.ts';
import { optionValues, optionWords } from '../../unit-file.ts';
import type { ValuePath } from '../../values.ts';
import { isCommand, type Service, withoutComments } from './service.ts';

const FIRST_BOOT = '/etc/ignition-machine-config-encapsulated.json';

const REBOOTS =
  /(?:^|[\s;&|({!]|\/)(?:systemctl\s+(?:[-\w=]+\s+)*(?:reboot|kexec)|reboot|shutdown\s+-r\b|init\s+6)(?=$|[\s;&|)}])/m;

/** Reboots that end in a loop or kill pods. */
export function rebootHazards({ unit, file, scripts }: Service, report: Report): void {
  const commands = file.options.filter(isCommand).map(({ value }) => value);
  // A script of several verbs need not reboot in the one that the unit names.
  const rebooting = scripts.find(
    ({ entry, text }) =>
      REBOOTS.test(withoutComments(text)) &&
      !(/\bcase\b/.test(text) && commands.every((command) => /\w/.test(command.split(entry.path)[1] ?? 'a'))),
  );
  if (rebooting === undefined && !commands.some((command) => REBOOTS.test(command))) return;
  const path: ValuePath = [...unit.at, 'contents'];
  const direct = file.options.find(
    (option) =>
      isCommand(option) && REBOOTS.test(option.value) && !/\bif\b|&&|\|\||\btest\b|\[/.test(option.value),
  );
  const hasCondition =
    file.options.some(({ section, name }) => section === 'Unit' && /^(?:Condition|Assert)/.test(name)) ||
    file.options.some(({ name }) => name === 'ExecCondition');
  if (direct !== undefined && !hasCondition && unit.isEnabled) {
    report({
      rule: 'reboot-loop',
      severity: 'error',
      path,
      lineInText: direct.line,
      message:
        'the unit reboots the node at each boot, and nothing keeps it from doing so: the node never comes up',
      hint: 'Add a condition, such as ConditionPathExists=! on a file that is written before.',
    });
    return;
  }
  if (
    optionWords(file, 'Unit', 'Before').some((word) =>
      /^(?:kubelet-dependencies\.target|(?:kubelet|crio)\.service|(?:network-pre|basic|sysinit)\.target)$/.test(
        word,
      ),
    )
  )
    return;
  report({
    rule: 'reboot-undrained',
    severity: 'warning',
    path: rebooting?.entry.at ?? path,
    message: `${unit.name} reboots the node and is not ordered before the kubelet: pods that run by then are killed, without a drain and without the Machine Config Operator`,
    hint: 'Add Before=kubelet-dependencies.target kubelet.service, so that there is nothing to drain yet.',
  });
}

/** What must not run in the first boot of a machine, and does. */
export function firstBootHazards({ unit, file }: Service, report: Report): void {
  if (
    !unit.isEnabled ||
    optionValues(file, 'Unit', 'ConditionPathExists').some(
      (value) => value.endsWith(FIRST_BOOT) && value.includes('!'),
    )
  )
    return;
  report({
    rule: 'first-boot-condition',
    severity: 'warning',
    path: [...unit.at, 'contents'],
    message:
      'it also runs when a new node boots for the first time, with the kernel of the boot image: there is no module for that one, and a reboot then breaks the installation',
    hint: `Add ConditionPathExists=!${FIRST_BOOT} to [Unit].`,
  });
}
