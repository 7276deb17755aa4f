import { extname, resolve } from 'node:path';
import type { VerifyReport } from '../../src/verify/report.ts';
import type { CliContext } from '../context.ts';
import { writeOutput } from '../io/write-output.ts';
import { VERSION } from '../version.ts';

export interface ProofOptions {
  /** The command that made the proof. */
  readonly verb: 'verify' | 'build';
  readonly at: Date;
}

/**
 * Writes a proof into files, each in the form that its name ends in.
 *
 * @throws {SpecError} `USAGE` when one cannot be written.
 */
export async function writeProofFiles(
  files: readonly string[],
  report: VerifyReport,
  options: ProofOptions & { readonly context: Pick<CliContext, 'cwd'> },
): Promise<void> {
  for (const file of files) {
    const text = await proofText(extname(file).toLowerCase(), report, options);
    await writeOutput(resolve(options.context.cwd, file), Buffer.from(text));
  }
}

async function proofText(extension: string, report: VerifyReport, options: ProofOptions): Promise<string> {
  switch (extension) {
    case '.html':
      return proofHtml(report, options);
    case '.sarif':
      return proofSarif(report, options);
    default:
      return `${JSON.stringify({ schema: 'kmodlayer/verify/v1', ...report }, null, 2)}\n`;
  }
}

/** A proof as one HTML file. */
export async function proofHtml(report: VerifyReport, { verb, at }: ProofOptions): Promise<string> {
  const { verifyHtml } = await import('./html/verify-html.ts');
  return verifyHtml(report, { toolVersion: VERSION, verb, at });
}

/** A proof for code scanning. */
export async function proofSarif(report: VerifyReport, { verb }: ProofOptions): Promise<string> {
  const { verifySarif } = await import('./sarif/verify-sarif.ts');
  return `${JSON.stringify(verifySarif(report, { toolVersion: VERSION, verb }), null, 2)}\n`;
}
