import type { Report } from '../../finding.ts';
import type { Script } from './service.ts';

/** Programs that systemd cannot execute. */
export function scriptHazards({ entry, text, isProgram }: Script, report: Report): void {
  if (!isProgram) return;
  const { at, value, path } = entry;
  const { mode } = value;
  if (typeof mode === 'number' && (mode & 0o111) === 0) {
    report({
      rule: 'script-not-executable',
      severity: 'error',
      path: [...at, 'mode'],
      message: `a unit runs ${path}, and no bit of its mode lets anybody execute it: systemd ends with 203/EXEC`,
      hint: 'Write 493, which is 0755.',
    });
  }
  if (text !== '' && !text.startsWith('#!')) {
    report({
      rule: 'script-without-shebang',
      severity: 'error',
      path: at,
      message: `a unit runs ${path}, and its first line names no interpreter: systemd ends with 203/EXEC`,
      hint: 'Begin with #!/usr/bin/env bash.',
    });
  } else if (/^#![^\n]*\r\n/.test(text)) {
    report({
      rule: 'script-crlf',
      severity: 'error',
      path: at,
      message: `the lines of ${path} end as on Windows: there is no interpreter with a carriage return in its name, and systemd ends with 203/EXEC`,
      hint: 'Convert it with dos2unix before base64.',
    });
  }
}
