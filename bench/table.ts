import { median, type Sample } from './measure.ts';

/** One thing that was measured several times. */
export interface Row {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** The rows that this one is compared with, and how many times faster this one should be. */
  readonly against?: readonly { readonly name: string; readonly goal: number }[];
  /** Most memory that it should take at its peak. */
  readonly maxRssBytes?: number;
  /** What else was measured, in words. */
  readonly notes?: readonly string[];
}

/** A table of medians, with the range of wall times and the ratios that were aimed at. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const middle = median(row.samples);
    const walls = row.samples.map(({ wallMs }) => wallMs);
    return [
      row.name,
      String(row.samples.length),
      seconds(middle.wallMs),
      `${seconds(Math.min(...walls))}-${seconds(Math.max(...walls))}`,
      seconds(middle.cpuMs),
      megabytes(middle.rssBytes),
      megabytes(middle.fromRegistryBytes),
      megabytes(middle.toRegistryBytes),
      megabytes(middle.diskBytes),
    ];
  });
  const head = ['step', 'n', 'wall s', 'range s', 'CPU s', 'RSS MB', 'from MB', 'to MB', 'disk MB'];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const text = [head, ...lines].map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
  return [
    ...text,
    ...rows.flatMap((row) => [...ratiosOf(row, rows), ...memoryOf(row), ...(row.notes ?? [])]),
  ].join('\n');
}

function ratiosOf({ name, samples, against = [] }: Row, rows: readonly Row[]): string[] {
  return against.flatMap(({ name: peerName, goal }) => {
    const peer = rows.find((row) => row.name === peerName);
    if (peer === undefined) return [];
    const [theirs, ours] = [median(peer.samples), median(samples)];
    const ratio = theirs.wallMs / ours.wallMs;
    const verdict = ratio >= goal ? 'reached' : 'MISSED';
    const cpu = (ours.cpuMs / theirs.cpuMs).toFixed(2);
    return [
      `${name}: ${ratio.toFixed(2)}x as fast as ${peerName} (goal ${goal.toFixed(2)}x: ${verdict}), with ${cpu}x its CPU time`,
    ];
  });
}

/** Every run counts: a peak is no peak when half of the runs stay below it. */
function memoryOf({ name, samples, maxRssBytes }: Row): string[] {
  if (maxRssBytes === undefined) return [];
  const most = Math.max(...samples.map(({ rssBytes }) => rssBytes));
  const verdict = most <= maxRssBytes ? 'reached' : 'MISSED';
  return [`${name}: ${megabytes(most)} MB at most (goal ${megabytes(maxRssBytes)} MB: ${verdict})`];
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 ? 3 : 1);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
