import type { LintOptions } from '../../../../src/verify/manifest/rule.ts';
import type { ManifestRuleId } from '../../../../src/verify/manifest/rule-ids.ts';
import { ignition } from '../../../support/lint.ts';

/** A rule, something that breaks it, and something like it that does not. */
export interface Case {
  readonly rule: ManifestRuleId;
  /** `severity line path`, as `findingsOf` gives it; a line of a second file begins with its name. */
  readonly found: string;
  readonly bad: string | readonly string[];
  readonly good: string | readonly string[];
  readonly options?: LintOptions;
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** A unit `x.service` with these lines, the first of which is line 13. */
export function unit(contents: string, rest = '', name = 'x.service'): string {
  return ignition(
    `systemd:\n  units:\n    - name: ${name}\n      enabled: true\n${rest === '' ? '' : `      ${rest}\n`}      # text:\n      contents: |\n${contents
      .split('\n')
      .map((line) => `        ${line}`)
      .join('\n')}`,
  );
}

/** A oneshot with these lines, the first of which is line 18, that is neither at the first boot nor unbounded. */
export function service(lines: string, more = ''): string {
  return unit(
    `[Install]\nWantedBy=multi-user.target\n[Service]\nType=oneshot\nTimeoutStartSec=300\n${lines}\n[Unit]\nConditionPathExists=!/etc/ignition-machine-config-encapsulated.json${more === '' ? '' : `\n${more}`}`,
  );
}

/** The same with a script that it runs; the entry of the script is line 26. */
export function scripted(script: string, mode = 493, more = ''): string {
  return `${service('ExecStart=/usr/local/bin/x.sh\nRestart=on-failure', more === '' ? 'After=a.target' : more)}\n    storage:\n      files:\n        - path: /usr/local/bin/x.sh\n          mode: ${mode}\n          contents: { source: "data:;base64,${base64(script)}" }\n`;
}
