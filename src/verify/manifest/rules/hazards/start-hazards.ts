import type { Report } from '../../finding.ts';
import { optionValues, optionWords } from '../../unit-file.ts';
import type { ValuePath } from '../../values.ts';
import type { Service } from './service.ts';

/** When a service starts, and whether it ever does: what it is ordered after, what it reads, how long it tries. */
export function startHazards(service: Service, report: Report): void {
  specifiers(service, report);
  ordering(service, report);
  loops(service, report);
}

/** @see systemd.unit(5), "Specifiers" */
const SPECIFIER = /%(?![aAbBCdDEfgGhHiIjJlLmMnNopPqrRsStTuUvVwWyY%])/;

function specifiers({ unit }: Service, report: Report): void {
  const path: ValuePath = [...unit.at, 'contents'];
  for (const { name, value, line, section } of unit.parsed()?.options ?? []) {
    if (section !== 'Service' || !/^(?:Exec\w+|Environment)$/.test(name)) continue;
    const plain = value.replaceAll('%%', '');
    const isUnknown = SPECIFIER.test(plain);
    const isFormat = /\bdate\b[^;|&]*\+["']?[^\s"']*%|\b(?:printf|stat -c|--format|-printf)\b[^;|&]*%/.test(
      plain,
    );
    if (!isUnknown && !isFormat) continue;
    report({
      rule: 'unit-percent',
      severity: isUnknown ? 'error' : 'warning',
      path,
      lineInText: line,
      message: isUnknown
        ? `${name} has a "%" that begins no specifier: systemd ignores the whole line`
        : `${name} has a "%" that systemd replaces before the program sees it: %s is a shell, %H the name of the node`,
      hint: 'Write %% for each "%" that is meant as it stands.',
    });
  }
}

function ordering({ unit, file }: Service, report: Report): void {
  const path: ValuePath = [...unit.at, 'contents'];
  const wanted = ['Wants', 'Requires', 'BindsTo'].flatMap((name) => optionWords(file, 'Unit', name));
  const after = file.options.find(
    ({ section, name, value }) =>
      section === 'Unit' && name === 'After' && /\bnetwork-online\.target\b/.test(value),
  );
  if (after !== undefined && !wanted.includes('network-online.target')) {
    report({
      rule: 'network-online-unwanted',
      severity: 'warning',
      path,
      lineInText: after.line,
      message:
        'After=network-online.target orders against a target that nothing may start: the unit then runs before there is a network',
      hint: 'Add Wants=network-online.target.',
    });
  }
  const proxy = file.options.find(
    ({ section, name, value }) =>
      section === 'Service' && name === 'EnvironmentFile' && value === '/etc/mco/proxy.env',
  );
  if (proxy !== undefined) {
    report({
      rule: 'proxy-file-required',
      severity: 'warning',
      path,
      lineInText: proxy.line,
      message: 'the unit fails on nodes that do not have /etc/mco/proxy.env',
      hint: 'Write EnvironmentFile=-/etc/mco/proxy.env.',
    });
  }
}

function loops(service: Service, report: Report): void {
  const { unit, file, code } = service;
  const isEndless =
    /\b(?:while|until)\b[\s\S]{0,2000}?\bsleep\b/.test(code) &&
    !/\bSECONDS\b|\btimeout\s|\bdate \+%+s|-(?:le|lt|ge|gt)\b|\(\(|\bseq\b|--retry|\bbreak\b[^\n]*\d/.test(
      code,
    );
  if (!isEndless) return;
  const limit = [
    ...optionValues(file, 'Service', 'TimeoutStartSec'),
    ...optionValues(file, 'Service', 'TimeoutSec'),
  ].at(-1);
  const isOneshot = optionValues(file, 'Service', 'Type').at(-1) === 'oneshot';
  if (limit === undefined ? !isOneshot : limit !== 'infinity' && limit !== '0') return;
  const blocks = [...optionWords(file, 'Unit', 'Before'), ...optionWords(file, 'Install', 'RequiredBy')].some(
    (word) => /^(?:kubelet|crio|network-pre|multi-user)/.test(word),
  );
  report({
    rule: 'loop-unbounded',
    severity: blocks ? 'error' : 'warning',
    path: [...unit.at, 'contents'],
    message: `it tries again for ever, and ${limit === undefined ? 'a oneshot has no time limit of its own' : `its time limit is ${limit}`}${blocks ? ': the node never gets to its kubelet when the image cannot be pulled' : ': the boot never ends when it does not succeed'}`,
    hint: 'Set TimeoutStartSec=, or count the tries.',
  });
}
