/** Characters that are kept of the first part of a log. */
const HEAD_LIMIT = 32 * 1024 * 1024;
/** Lines that are kept of what comes after it. */
const TAIL_LIMIT = 20_000;

/** What a compile printed, bounded: a long log loses its middle. */
export interface Log {
  add(line: string): void;
  /** Oldest first. */
  lines(): readonly string[];
}

export function makeLog(): Log {
  const head: string[] = [];
  let headSize = 0;
  let tail: string[] = [];
  let left = 0;
  return {
    add(line) {
      if (headSize < HEAD_LIMIT) {
        headSize += line.length + 1;
        head.push(line);
        return;
      }
      tail.push(line);
      if (tail.length < 2 * TAIL_LIMIT) return;
      left += tail.length - TAIL_LIMIT;
      tail = tail.slice(-TAIL_LIMIT);
    },
    lines: () => (left === 0 ? [...head, ...tail] : [...head, `[${left} lines left out]`, ...tail]),
  };
}
