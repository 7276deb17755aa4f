import { CompileError, KmodError, PartialFailure, SpecError, type SpecProblem } from '../../src/errors.ts';
import { type FileFailure, reasonOf } from '../../src/file-failure.ts';
import { isMachineFailure } from '../exit-codes.ts';
import { UNPRINTABLE } from './printable.ts';
import type { Style } from './style.ts';

/** How an error is shown. */
export interface ErrorTextOptions {
  readonly style: Style;
  /** Shows causes and stacks. */
  readonly isVerbose: boolean;
}

/** What a person reads when a command fails; ends with a newline. */
export function formatError(error: unknown, options: ErrorTextOptions): string {
  return `${errorLines(error, options).join('\n')}\n`;
}

function errorLines(error: unknown, options: ErrorTextOptions): readonly string[] {
  const { style, isVerbose } = options;
  if (isMachineFailure(error)) return machineLines(error, options);
  if (!(error instanceof KmodError)) return bugLines(error, options);
  const lines: string[] = [];
  if (error instanceof CompileError) {
    // What the compiler said comes first: it is what most people look for.
    lines.push(...error.logTail.map((line) => style.faint(`  | ${plain(line)}`)));
  }
  lines.push(`${style.error('error:')} ${plain(error.message)}`);
  if (error instanceof SpecError) lines.push(...problemLines(error));
  if (error instanceof PartialFailure) {
    for (const failure of error.failures) {
      lines.push(...errorLines(failure, options).map((line) => `  ${line}`));
    }
  }
  if (error instanceof CompileError && error.logFile !== undefined) {
    lines.push(`log: ${plain(error.logFile)}`);
  }
  if (error.hint !== undefined) lines.push(`${style.strong('hint:')} ${plain(error.hint)}`);
  if (isVerbose) lines.push(...causeLines(error, style));
  return lines;
}

function problemLines(error: SpecError): readonly string[] {
  return error.problems.flatMap((problem) => {
    const place = placeOf(problem, error.file);
    const lines = [`  ${place === '' ? '' : `${place}: `}${plain(problem.message)}`];
    if (problem.hint !== undefined) lines.push(`    hint: ${plain(problem.hint)}`);
    return lines;
  });
}

function placeOf({ path, line }: SpecProblem, file: string | undefined): string {
  const where = [...(file === undefined ? [] : [file]), ...(line === undefined ? [] : [String(line)])].join(
    ':',
  );
  return [where, path].filter((part) => part !== '').join(': ');
}

function machineLines(error: FileFailure, { style, isVerbose }: ErrorTextOptions): readonly string[] {
  const where = error.path === undefined ? '' : ` ${error.path}`;
  return [
    `${style.error('error:')} ${plain(`Cannot use${where}: ${reasonOf(error) ?? error.message}`)}`,
    `${style.strong('hint:')} Check the space that is left there and who may write; TMPDIR says where temporary files go.`,
    ...(isVerbose ? causeLines(error, style) : []),
  ];
}

function bugLines(error: unknown, { style, isVerbose }: ErrorTextOptions): readonly string[] {
  const message = error instanceof Error ? error.message : String(error);
  const lines = [
    `${style.error('error:')} ${plain(message)}`,
    `${style.strong('hint:')} This is a bug in kmodlayer. Please report it with ${
      isVerbose ? 'the lines below.' : 'what the same command prints with --verbose.'
    }`,
  ];
  if (isVerbose && error instanceof Error) lines.push(...causeLines(error, style));
  return lines;
}

/** Stack of an error, and of what caused it, and so on. */
function causeLines(error: Error, style: Style): readonly string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (let cause: unknown = error; cause instanceof Error && !seen.has(cause); cause = cause.cause) {
    seen.add(cause);
    const stack = (cause.stack ?? cause.message).split('\n').map((line) => style.faint(plain(line)));
    lines.push(...(cause === error ? stack : ['caused by:', ...stack]));
  }
  return lines;
}

/** Text from outside must not steer the terminal, nor turn the text around it. */
export function plain(text: string): string {
  return text.replaceAll(UNPRINTABLE, '\u{fffd}');
}

/** The same on one line: a name with line ends must not write lines of its own. */
export function plainLine(text: string): string {
  return plain(text.replaceAll(/[\t\n]/g, ' '));
}
