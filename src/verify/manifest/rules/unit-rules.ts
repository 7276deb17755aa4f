import { type Draft, reporterOf, type Report } from '../finding.ts';
import type { MachineConfig, UnitEntry } from '../machine-config.ts';
import type { ManifestSet } from '../rule.ts';
import { readUnitFile } from '../unit-file.ts';
import type { ValuePath } from '../values.ts';

const SUFFIX = /\.(?:service|socket|device|mount|automount|swap|target|path|timer|snapshot|slice|scope)$/;

/** Rules on units and drop-ins as such: what systemd and Ignition make of them. */
export function unitRules({ machineConfigs }: ManifestSet, drafts: Draft[]): void {
  for (const config of machineConfigs) {
    if (config.origin !== 'user') continue;
    const report = reporterOf(config.manifest, drafts);
    const seen = new Set<string>();
    for (const unit of config.units) {
      name(unit, seen, report);
      if (unit.contents !== undefined) text(unit.contents, [...unit.at, 'contents'], report);
      for (const dropIn of unit.dropIns) {
        if (!/^[^/]+\.conf$/.test(dropIn.name)) {
          report({
            rule: 'dropin-name',
            severity: 'error',
            path: [...dropIn.at, 'name'],
            message: 'the name of the drop-in does not end in ".conf": "invalid systemd drop-in extension"',
            hint: 'Write a name such as 10-proxy.conf.',
          });
        }
        if (dropIn.contents !== undefined) text(dropIn.contents, [...dropIn.at, 'contents'], report);
      }
      install(config, unit, report);
      mask(unit, report);
    }
  }
}

function name({ at, name: unit }: UnitEntry, seen: Set<string>, report: Report): void {
  if (!SUFFIX.test(unit) || unit.includes('/')) {
    report({
      rule: 'unit-name',
      severity: 'error',
      path: [...at, 'name'],
      message:
        unit === ''
          ? 'the unit has no name: the config is refused'
          : 'the name is none of a unit: "invalid systemd unit extension"',
      hint: 'Write a name such as load-ice.service.',
    });
  }
  if (seen.has(unit) && unit !== '') {
    report({
      rule: 'unit-duplicate',
      severity: 'error',
      path: [...at, 'name'],
      message: `${unit} stands twice in this config: "duplicate entry defined"`,
      hint: 'Keep one of them, with all that both say.',
    });
  }
  seen.add(unit);
}

function text(contents: string, path: ValuePath, report: Report): void {
  const { problems } = readUnitFile(contents);
  for (const { line, message, isFatal } of problems.slice(0, 5)) {
    const isOneLine = !contents.trim().includes('\n') && contents.includes('\\n');
    report({
      rule: 'unit-content',
      severity: isFatal ? 'error' : 'warning',
      path,
      lineInText: line,
      message: `${message}${isFatal ? ': "invalid unit content", and the config is refused' : ''}`,
      hint: isOneLine
        ? 'The text has \\n where lines should end: use a block (contents: |) or double quotes.'
        : 'Write [Section] and Name=value lines; check with systemd-analyze verify.',
    });
  }
  const lines = contents.split('\n');
  const continued = lines.findIndex((line) => /\\[ \t]+\r?$/.test(line) && !/^\s*[#;]/.test(line));
  if (continued >= 0) {
    report({
      rule: 'unit-newline',
      severity: 'warning',
      path,
      lineInText: continued,
      message:
        'blanks follow the backslash at the end of the line: the line ends here, and the next one is read as one of its own',
      hint: 'Remove the blanks.',
    });
  }
}

function install(
  { units }: MachineConfig,
  { at, name: unit, isEnabled, isMasked, parsed }: UnitEntry,
  report: Report,
): void {
  if (!isEnabled || isMasked) return;
  const instance = /^([^@/]+)@[^.].*(\.[a-z]+)$/.exec(unit);
  const template = instance === null ? undefined : `${instance[1] ?? ''}@${instance[2] ?? ''}`;
  const source = parsed() ?? units.find(({ name: other }) => other === template)?.parsed();
  if (source === undefined) {
    if (template === undefined) return;
    report({
      rule: 'template-missing',
      severity: 'warning',
      path: [...at, 'name'],
      message: `${unit} is an instance, and ${template} is not in this config: unless the OS image has it, there is nothing to enable`,
      hint: `Add ${template} with an [Install] section.`,
    });
    return;
  }
  if (source.sections.includes('Install')) return;
  report({
    rule: 'unit-without-install',
    severity: 'warning',
    path: [...at, 'enabled'],
    message: `enabled is true, and ${template !== undefined && parsed() === undefined ? template : unit} has no [Install] section: enabling does nothing, and the unit never starts by itself`,
    hint: 'Add [Install] with WantedBy=multi-user.target, or leave enabled out.',
  });
}

function mask({ at, name: unit, isMasked, isEnabled, contents }: UnitEntry, report: Report): void {
  if (!isMasked) return;
  if (contents !== undefined || isEnabled) {
    report({
      rule: 'unit-masked',
      severity: 'warning',
      path: [...at, 'mask'],
      message: `the unit is masked, so ${contents === undefined ? 'enabling it' : 'its contents'} does nothing`,
      hint: 'Remove mask, or the rest.',
    });
  }
  if (unit === 'crio-wipe.service') {
    report({
      rule: 'crio-wipe-masked',
      severity: 'warning',
      path: [...at, 'mask'],
      message:
        'crio-wipe.service repairs the store of images after a node lost power, and other units wait for it: masked, a broken store stays broken',
      hint: 'Leave it alone: pull in a unit that runs after crio-wipe.service, or pin the image with a PinnedImageSet.',
    });
  }
}
