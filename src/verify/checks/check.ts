import type { Check, CheckId, CheckStatus } from '../report.ts';

type More = Omit<Check, 'id' | 'status' | 'message'>;

/** Makes the results of one check. */
export function resultsOf(id: CheckId): Record<CheckStatus, (message: string, more?: More) => Check> {
  const make =
    (status: CheckStatus) =>
    (message: string, more: More = {}): Check => ({ id, status, message, ...more });
  return { pass: make('pass'), warn: make('warn'), fail: make('fail'), skip: make('skip') };
}

/** A CRC as `Module.symvers` writes it. */
export function hexOfCrc(crc: number): string {
  return `0x${crc.toString(16).padStart(8, '0')}`;
}

/** `1 symbol`, `2 symbols`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
