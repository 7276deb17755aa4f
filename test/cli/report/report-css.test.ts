import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { REPORT_CSS } from '../../../cli/report/html/report-css.generated.ts';

const DIRECTORY = join(import.meta.dirname, '../../../cli/report/html');

describe('report-css.generated.ts', () => {
  it('is made from report.css, without what only people need', async () => {
    const css = readFileSync(join(DIRECTORY, 'report.css'), 'utf8');
    const { code, warnings } = transformSync(css, { loader: 'css', minify: true });
    const literal = code.trimEnd().replaceAll(/[\\`]|\$\{/g, '\\$&');
    const source = `// Made from report.css by "npm test -- -u". Do not edit.\n\nexport const REPORT_CSS = \`${literal}\`;\n`;

    expect(warnings).toEqual([]);
    await expect(source).toMatchFileSnapshot(join(DIRECTORY, 'report-css.generated.ts'));
  });

  it('reaches for nothing outside of the file, and cannot end the element that it stands in', () => {
    expect(REPORT_CSS).toMatch(/^:root\{.*\}$/s);
    expect(REPORT_CSS).not.toMatch(/url\(|@import|@font-face|<|\\/);
  });
});
