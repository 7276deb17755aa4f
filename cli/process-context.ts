import { isatty } from 'node:tty';
import type { CliContext, TextOutput } from './context.ts';

const INTERRUPTED = 130;

/** The process as commands see it. The first ^C aborts its signal, the second ends the process. */
export function makeProcessContext(): CliContext {
  const controller = new AbortController();
  const cleanups = new Set<() => void>();
  process.once('exit', () => {
    for (const cleanUp of cleanups) cleanUp();
  });
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    process.stderr.write('\nStopping and cleaning up. Once more to exit at once.\n');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // The terminal went away; nobody presses a key twice then.
  process.once('SIGHUP', stop);
  return {
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
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

function outputTo(stream: NodeJS.WriteStream & { readonly fd: number }): TextOutput {
  // "kmodlayer ... | head" closes the pipe before all is written. That is no error.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  return {
    write(text) {
      stream.write(text);
    },
    isTty: isatty(stream.fd),
  };
}
