import type { LockChange } from '../../src/lock-set.ts';
import type { Lock } from '../../src/plan/lock.ts';
import { targetId } from '../../src/plan/plan.ts';
import { plain } from './error-text.ts';

/** A lock as programs see it: what it is about. The file itself has the digests. */
export function lockData({ targets, excluded, pins, spec }: Lock): Readonly<Record<string, unknown>> {
  return {
    spec,
    targets: targets.map((target) => ({
      id: targetId(target),
      release: target.release.version,
      arch: target.arch,
      stream: target.stream,
      kernel: target.osImage.kernel,
      risks: (target.update?.risks ?? []).map(({ name }) => name),
    })),
    excluded: excluded.map(({ version, because }) => ({ release: version, because })),
    drivers: pins,
  };
}

/** A lock that was written, as people see it. */
export function lockText(
  file: string,
  { targets, excluded, pins }: Lock,
  { changes, wasThere }: { readonly changes: readonly LockChange[]; readonly wasThere: boolean },
): string {
  const kernels = new Set(targets.map(({ osImage }) => osImage.kernel)).size;
  const counts = [
    counted(targets.length, 'target'),
    counted(kernels, 'kernel'),
    counted(Object.keys(pins).length, 'driver'),
  ].join(', ');
  return [
    `${plain(file)}: ${counts}${wasThere ? ' (as it was)' : ''}\n`,
    ...excluded.map(({ version, because }) => `without ${version}: ${plain(because)}\n`),
    ...changes.map(changeText),
  ].join('');
}

const KINDS: Readonly<Record<LockChange['kind'], string>> = {
  'release-added': 'new',
  'release-removed': 'no longer there',
  'release-moved': 'moved',
  'risks-changed': 'other risks of update',
  'image-gone': 'image is gone',
  'source-moved': 'source moved',
};

/** One thing that has moved, as a line. */
export function changeText({ kind, what, was, now }: LockChange): string {
  const from = kind === 'image-gone' || was === undefined ? '' : `\n  was  ${plain(was)}`;
  const to = now === undefined ? '' : `\n  now  ${plain(now)}`;
  return `${plain(what)}: ${KINDS[kind]}${from}${to}\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
