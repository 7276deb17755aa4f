import { CommanderError } from 'commander';
import { hasColour, type CliContext } from './context.ts';
import { CheckFailed, EXIT_CODES, exitCodeOf } from './exit-codes.ts';
import { makeProgram } from './program.ts';
import { formatError } from './report/error-text.ts';
import { makeStyle } from './report/style.ts';

/**
 * Runs one command. The only place that catches everything.
 *
 * @param argv Arguments without the program and the script.
 * @returns The exit code.
 */
export async function run(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    await makeProgram(context).parseAsync([...argv], { from: 'user' });
    return EXIT_CODES.done;
  } catch (error) {
    // commander has said already what is wrong; help that was asked for has exit code 0.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
    }
    if (context.signal.aborted) {
      context.stderr.write('Stopped. The same command goes on where it was.\n');
      return EXIT_CODES.interrupted;
    }
    if (!(error instanceof CheckFailed)) {
      const style = makeStyle(hasColour(context, context.stderr));
      context.stderr.write(formatError(error, { style, isVerbose: isVerbose(argv) }));
    }
    return exitCodeOf(error);
  }
}

/** An error may come before the flags are understood. */
function isVerbose(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--verbose');
}
