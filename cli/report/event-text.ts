import type { BuildEvent, Report } from '../../src/events.ts';
import { hasColour, type CliContext } from '../context.ts';
import { plain, plainLine } from './error-text.ts';
import { formatDuration, formatSize } from './sizes.ts';
import { makeStyle } from './style.ts';

/** How much is said while a command runs. */
export interface ReportFlags {
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** A transfer is mentioned again when it has come this much further: a log needs no line per block. */
const PROGRESS_STEP = 0.1;

/** Fewer releases are resolved before anyone wonders. */
const MANY_RELEASES = 10;

/** Writes events as lines on stderr: warnings always, stages unless `quiet`, everything with `verbose`. */
export function makeReport(context: CliContext, { quiet = false, verbose = false }: ReportFlags): Report {
  const style = makeStyle(hasColour(context, context.stderr));
  const shownProgress = new Map<string, number>();
  const say = (line: string): void => {
    context.stderr.write(`${line}\n`);
  };

  const isProgressWorth = (event: Extract<BuildEvent, { type: 'transfer-progress' }>): boolean => {
    const part = event.sizeBytes === 0 ? 1 : event.doneBytes / event.sizeBytes;
    const isDone = event.doneBytes >= event.sizeBytes;
    if (!isDone && part < (shownProgress.get(event.what) ?? 0) + PROGRESS_STEP) return false;
    if (isDone) shownProgress.delete(event.what);
    else shownProgress.set(event.what, part);
    return true;
  };

  /** Images say what they do in stages; a unit that was not done is told of here, while others go on. */
  const sayUnit = ({
    unit,
    kind,
    outcome,
    ms,
    why,
  }: Extract<BuildEvent, { type: 'unit-finished' }>): void => {
    const because = why === undefined ? '' : `: ${plainLine(why)}`;
    if (outcome === 'failed')
      say(`${plain(unit)}: ${style.error('failed')}${because} (${formatDuration(ms)})`);
    else if (outcome === 'blocked') say(`${plain(unit)}: not done${because}`);
    else if (outcome === 'kept') say(`${plain(unit)}: ${kind === 'compile' ? 'compiled' : 'pushed'} before`);
    else if (outcome === 'done' && kind === 'compile') say(`${plain(unit)}: compile (${formatDuration(ms)})`);
    else if (verbose) say(style.faint(`${plain(unit)}: ${outcome}`));
  };

  let shownReleases = 0;
  const isResolveProgressWorth = ({
    done,
    total,
  }: Extract<BuildEvent, { type: 'resolve-progress' }>): boolean => {
    if (total < MANY_RELEASES || (done < total && done / total < shownReleases + PROGRESS_STEP)) return false;
    shownReleases = done < total ? done / total : 0;
    return true;
  };

  return (event) => {
    if (event.type === 'warning') {
      say(`${style.warning('warning:')} ${plain(event.message)}`);
      if (event.hint !== undefined) say(`${style.strong('hint:')} ${plain(event.hint)}`);
      return;
    }
    if (quiet) return;
    switch (event.type) {
      case 'stage-started':
        if (verbose) say(style.faint(stageLine(event, 'started')));
        return;
      case 'stage-finished':
        say(stageLine(event, formatDuration(event.ms)));
        return;
      case 'build-planned':
        if (verbose) say(style.faint(`${event.units.length} units to do`));
        return;
      case 'unit-started':
        if (verbose) say(style.faint(`${plain(event.unit)}: ${event.kind} (started)`));
        return;
      case 'unit-finished':
        sayUnit(event);
        return;
      case 'request-retried':
        say(
          `${plain(event.url)}: ${plain(event.why)}; try ${event.attempt + 1} in ${formatDuration(event.delayMs)}`,
        );
        return;
      case 'transfer-planned':
        say(
          `${plain(event.what)}: ${event.blobs} ${event.blobs === 1 ? 'blob' : 'blobs'}, ${formatSize(event.sizeBytes)}`,
        );
        return;
      case 'transfer-progress':
        if (isProgressWorth(event)) {
          say(
            style.faint(
              `${plain(event.what)}: ${formatSize(event.doneBytes)} of ${formatSize(event.sizeBytes)}`,
            ),
          );
        }
        return;
      case 'resolve-progress':
        if (isResolveProgressWorth(event))
          say(style.faint(`releases resolved: ${event.done} of ${event.total}`));
        return;
      case 'compile-output':
        if (verbose) say(style.faint(`${plain(event.target)} | ${plain(event.line)}`));
        return;
      case 'program-output':
        say(style.faint(`${plain(event.program)} | ${plain(event.line)}`));
        return;
      case 'detail':
        if (verbose) say(style.faint(plain(event.message)));
        return;
    }
  };
}

function stageLine(
  { target, stage, detail }: { readonly target: string; readonly stage: string; readonly detail?: string },
  end: string,
): string {
  const what = detail === undefined ? '' : `: ${plain(detail)}`;
  return `${plain(target)}: ${stage}${what} (${end})`;
}
