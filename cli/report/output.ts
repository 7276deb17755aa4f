import { resolve } from 'node:path';
import type { CliContext } from '../context.ts';

/** How a result is written. */
export type OutputFormat = 'table' | 'json' | 'yaml';

/** Forms that only some verbs have. */
export type ReportFormat = OutputFormat | 'sarif' | 'html' | 'markdown' | 'matrix';

/** A result, for people and for programs. */
export interface Result {
  /** The verb; programs see `kmodlayer/<verb>/v1` under `schema`. */
  readonly verb: string;
  /** What programs see beside `schema`. Its keys stay what they are as long as the version in `schema` does. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What people see. */
  readonly text: () => string;
  /** What code scanning takes: a log of SARIF. */
  readonly sarif?: () => Promise<string>;
  /** A page that stands alone. */
  readonly html?: () => Promise<string>;
  /** What release notes take. */
  readonly markdown?: () => string;
  /** What a workflow of GitHub Actions makes jobs of, in one line. */
  readonly matrix?: () => string;
}

/** Writes the result of a command to stdout, or to a file that the user named. */
export async function printResult(
  context: CliContext,
  format: ReportFormat,
  result: Result,
  outputFile?: string,
): Promise<void> {
  const text = await formatResult(format, result);
  if (outputFile === undefined) {
    context.stdout.write(text);
    return;
  }
  const { writeOutput } = await import('../io/write-output.ts');
  await writeOutput(resolve(context.cwd, outputFile), Buffer.from(text));
}

async function formatResult(
  format: ReportFormat,
  { verb, data, text, sarif, html, markdown, matrix }: Result,
): Promise<string> {
  const document = { schema: `kmodlayer/${verb}/v1`, ...data };
  switch (format) {
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`;
    case 'yaml': {
      const { resultYaml } = await import('./yaml.ts');
      return resultYaml(document);
    }
    case 'table':
      return text();
    case 'sarif':
      if (sarif === undefined) throw new TypeError(`${verb} has no SARIF`);
      return sarif();
    case 'html':
      if (html === undefined) throw new TypeError(`${verb} has no HTML`);
      return html();
    case 'markdown':
      if (markdown === undefined) throw new TypeError(`${verb} has no Markdown`);
      return markdown();
    case 'matrix':
      if (matrix === undefined) throw new TypeError(`${verb} has no matrix`);
      return matrix();
  }
}
