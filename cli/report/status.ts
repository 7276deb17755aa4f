import type { Report } from '../../src/events.ts';
import type { CliContext } from '../context.ts';
import type { ReportFlags } from './event-text.ts';
import { makeProgress } from './progress.ts';

/** A line is drawn again when something was reported, at most this often, and once in a second in any case. */
const REDRAW_MS = 100;
const TICK_MS = 1000;

/**
 * Keeps a line at the foot of a terminal that says how far a build is; undefined where nobody would see it.
 *
 * @param say What is written above that line.
 */
export function withStatus(
  say: Report,
  { stderr }: Pick<CliContext, 'stderr'>,
  { quiet = false }: ReportFlags,
): Report {
  const { status, columns = () => 80 } = stderr;
  if (status === undefined || quiet) return say;
  const progress = makeProgress(() => performance.now());
  let drawnAt = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    drawnAt = performance.now();
    // The last column stays free: some terminals begin a new line when it is written.
    const line = progress.line(columns() - 1);
    status(line);
    if (line !== '') return;
    clearInterval(timer);
    timer = undefined;
  };
  return (event) => {
    say(event);
    progress.add(event);
    if (event.type === 'build-planned' || event.type === 'transfer-planned') {
      timer ??= setInterval(draw, TICK_MS).unref();
    }
    const isEnd = event.type === 'unit-finished' || event.type === 'transfer-progress';
    if (isEnd || performance.now() - drawnAt >= REDRAW_MS) draw();
  };
}
