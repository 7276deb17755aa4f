/** A place that text is written to. */
export interface TextOutput {
  write(text: string): void;
  /** A person may be looking at it. */
  readonly isTty: boolean;
  /** Shows a line that the next one, or whatever else is written, takes the place of; only on a terminal. */
  readonly status?: (line: string) => void;
  /** Width of the terminal. */
  readonly columns?: () => number;
}

/** Everything that a command may touch of the process it runs in. */
export interface CliContext {
  /** Results, and nothing else. */
  readonly stdout: TextOutput;
  /** Progress, warnings and errors. */
  readonly stderr: TextOutput;
  /** All of stdin, for those who write `-` as a file. */
  readonly readStdin: () => Promise<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory that relative paths start at; absolute. */
  readonly cwd: string;
  /** Aborted on ^C. */
  readonly signal: AbortSignal;
  /** Runs when the process ends before a command could clean up by itself. Synchronous; must not throw. */
  readonly cleanups: Set<() => void>;
}

/** Says whether colours are welcome: never in pipes and files, never with `NO_COLOR`. */
export function hasColour(context: Pick<CliContext, 'env'>, output: TextOutput): boolean {
  const { NO_COLOR, TERM } = context.env;
  return output.isTty && (NO_COLOR ?? '') === '' && TERM !== 'dumb';
}
