import type { BuildEvent, UnitKind } from '../../src/events.ts';
import { plainLine } from './error-text.ts';
import { formatDuration, formatSize } from './sizes.ts';

/** What a person sees of a build that runs: one line, made anew from all that was reported. */
export interface Progress {
  readonly add: (event: BuildEvent) => void;
  /** The line as it is now, no longer than `columns`; empty when nothing runs. */
  readonly line: (columns: number) => string;
}

/** Units of one kind. */
interface Kind {
  readonly waiting: Set<string>;
  /** When each began. */
  readonly running: Map<string, number>;
  doneCount: number;
  /** Of units that did their work: what was there already tells nothing of the others. */
  workedMs: number;
  workedCount: number;
  /** Most that ran at a time. */
  width: number;
}

interface Transfer {
  readonly startedAt: number;
  doneBytes: number;
  sizeBytes: number;
}

const NAMES: Readonly<Record<UnitKind, string>> = {
  compile: 'compiling',
  image: 'making',
  'kmod-image': 'making',
};

/** @param now Milliseconds of any clock that only goes forward. */
export function makeProgress(now: () => number): Progress {
  const kinds: Record<UnitKind, Kind> = {
    ...{ compile: emptyKind(), image: emptyKind(), 'kmod-image': emptyKind() },
  };
  const transfers = new Map<string, Transfer>();
  return {
    add(event) {
      if (event.type === 'build-planned') {
        for (const { unit, kind } of event.units) kinds[kind].waiting.add(unit);
      } else if (event.type === 'unit-started') {
        begin(kinds[event.kind], event.unit, now());
      } else if (event.type === 'unit-finished') {
        finish(kinds[event.kind], event);
      } else if (event.type === 'transfer-planned') {
        transfers.set(event.what, { startedAt: now(), doneBytes: 0, sizeBytes: event.sizeBytes });
      } else if (event.type === 'transfer-progress') {
        if (event.doneBytes >= event.sizeBytes) transfers.delete(event.what);
        else addBytes(transfers, event, now());
      }
    },
    line(columns) {
      const all = Object.values(kinds);
      const done = all.reduce((sum, kind) => sum + kind.doneCount, 0);
      const left = all.reduce((sum, kind) => sum + kind.waiting.size + kind.running.size, 0);
      const parts = [
        ...(left === 0 ? [] : [`${done} of ${done + left}`]),
        ...runningParts(kinds, now()),
        ...transferParts([...transfers.values()], now()),
        ...(left === 0 ? [] : leftParts(all)),
      ];
      return cut(parts.join(', '), columns);
    },
  };
}

function emptyKind(): Kind {
  return { waiting: new Set(), running: new Map(), doneCount: 0, workedMs: 0, workedCount: 0, width: 1 };
}

function begin(kind: Kind, unit: string, at: number): void {
  kind.waiting.delete(unit);
  kind.running.set(unit, at);
  kind.width = Math.max(kind.width, kind.running.size);
}

function finish(kind: Kind, { unit, outcome, ms }: Extract<BuildEvent, { type: 'unit-finished' }>): void {
  kind.waiting.delete(unit);
  kind.running.delete(unit);
  kind.doneCount++;
  if (outcome !== 'done') return;
  kind.workedMs += ms;
  kind.workedCount++;
}

function addBytes(
  transfers: Map<string, Transfer>,
  { what, doneBytes, sizeBytes }: Extract<BuildEvent, { type: 'transfer-progress' }>,
  at: number,
): void {
  const transfer = transfers.get(what) ?? { startedAt: at, doneBytes, sizeBytes };
  transfer.doneBytes = doneBytes;
  transfers.set(what, transfer);
}

/** `compiling ice for 5.14.0-427.el9_4.x86_64 (41 s) and 1 more`. */
function runningParts(kinds: Readonly<Record<UnitKind, Kind>>, at: number): readonly string[] {
  return (['compile', 'image', 'kmod-image'] as const).flatMap((name) => {
    const [first, ...more] = kinds[name].running;
    if (first === undefined) return [];
    const [unit, startedAt] = first;
    const others = more.length === 0 ? '' : ` and ${more.length} more`;
    return [`${NAMES[name]} ${plainLine(unit)} (${formatDuration(at - startedAt)})${others}`];
  });
}

/** `120 MB of 1.2 GB, 45 MB/s, 24 s left`. */
function transferParts(transfers: readonly Transfer[], at: number): readonly string[] {
  if (transfers.length === 0) return [];
  const doneBytes = transfers.reduce((sum, transfer) => sum + transfer.doneBytes, 0);
  const sizeBytes = transfers.reduce((sum, transfer) => sum + transfer.sizeBytes, 0);
  const ms = at - Math.min(...transfers.map(({ startedAt }) => startedAt));
  const amount = `${formatSize(doneBytes)} of ${formatSize(sizeBytes)}`;
  if (doneBytes === 0 || ms <= 0) return [amount];
  const leftMs = ((sizeBytes - doneBytes) * ms) / doneBytes;
  return [`${amount}, ${formatSize(Math.round((doneBytes * 1000) / ms))}/s, ${formatDuration(leftMs)} left`];
}

/** From what the units of each kind took so far; nothing as long as one kind has shown nothing. */
function leftParts(kinds: readonly Kind[]): readonly string[] {
  let leftMs = 0;
  for (const { waiting, running, workedMs, workedCount, width } of kinds) {
    const count = waiting.size + running.size;
    if (count === 0) continue;
    if (workedCount === 0) return [];
    leftMs += ((workedMs / workedCount) * count) / width;
  }
  return [`about ${formatDuration(leftMs)} to go`];
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}
