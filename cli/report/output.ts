import type { CliContext } from '../context.ts';

/** How a result is written. */
export type OutputFormat = 'table' | 'json' | 'yaml';

/** A result, for people and for programs. */
export interface Result {
  /** The verb; programs see `kmodlayer/<verb>/v1` under `schema`. */
  readonly verb: string;
  /** What programs see beside `schema`. Its keys stay what they are as long as the version in `schema` does. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What people see. */
  readonly text: () => string;
}

/** Writes the result of a command to stdout. */
export async function printResult(
  context: CliContext,
  format: OutputFormat,
  { verb, data, text }: Result,
): Promise<void> {
  const document = { schema: `kmodlayer/${verb}/v1`, ...data };
  switch (format) {
    case 'json':
      context.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
      return;
    case 'yaml': {
      const { stringify } = await import('yaml');
      // The same values as in JSON: without what is undefined.
      context.stdout.write(stringify(JSON.parse(JSON.stringify(document)), { lineWidth: 0 }));
      return;
    }
    case 'table':
      context.stdout.write(text());
      return;
  }
}
