import { isatty } from 'node:tty';
import type { CliContext, TextOutput } from './context.ts';

const INTERRUPTED = 130;

/** The process as commands see it. The first ^C aborts its signal, the second ends the process. */
export function makeProcessContext(): CliContext {
  const controller = new AbortController();
  const cleanups = new Set<() => void>();
  const statusLine = makeStatusLine(process.stderr);
  process.once('exit', () => {
    statusLine.clear();
    for (const cleanUp of cleanups) cleanUp();
  });
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    statusLine.clear();
    process.stderr.write('\nStopping and cleaning up. Once more to exit at once.\n');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // The terminal went away; nobody presses a key twice then.
  process.once('SIGHUP', stop);
  return {
    stdout: outputTo(process.stdout, statusLine),
    stderr: {
      ...outputTo(process.stderr, statusLine),
      ...(isatty(process.stderr.fd) && process.env['TERM'] !== 'dumb'
        ? { status: statusLine.show, columns: () => process.stderr.columns }
        : {}),
    },
    async readStdin() {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    env: process.env,
    cwd: process.cwd(),
    signal: controller.signal,
    cleanups,
  };
}

/** The last line of a terminal, which goes away before anything else is written there. */
interface StatusLine {
  readonly show: (line: string) => void;
  readonly clear: () => void;
}

const ERASE_LINE = '\r\x1b[K';

function makeStatusLine(stream: NodeJS.WriteStream): StatusLine {
  let isShown = false;
  return {
    show(line) {
      if (!isShown && line === '') return;
      stream.write(`${ERASE_LINE}${line}`);
      isShown = line !== '';
    },
    clear() {
      if (isShown) stream.write(ERASE_LINE);
      isShown = false;
    },
  };
}

function outputTo(stream: NodeJS.WriteStream & { readonly fd: number }, statusLine: StatusLine): TextOutput {
  // "kmodlayer ... | head" closes the pipe before all is written. That is no error.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  return {
    write(text) {
      statusLine.clear();
      stream.write(text);
    },
    isTty: isatty(stream.fd),
  };
}
