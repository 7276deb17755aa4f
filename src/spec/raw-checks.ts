import { formatPath, type DocumentPath } from './document.ts';

/** Takes a problem of the raw document: where, what, and how to mend it. */
export type Reporter = (path: DocumentPath, message: string, hint: string) => void;

export interface Place {
  readonly path: DocumentPath;
  readonly report: Reporter;
}

/** Unknown keys are problems of their own; an object that has one may have meant it as the key that is missing. */
export function checkOneOf(value: unknown, keys: readonly string[], { path, report }: Place): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const present = keys.filter((key) => Object.hasOwn(value, key));
  const what = quote(typeof path.at(-1) === 'number' ? formatPath(path.slice(-2)) : path.at(-1));
  const choice = keys
    .map(quote)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');
  if (present.length > 1) {
    report(path, `${what} has ${present.map(quote).join(' and ')}`, `Keep exactly one of ${choice}.`);
  }
  const hasOther = Object.keys(value).some((key) => !COMPANIONS.has(key) && !keys.includes(key));
  if (present.length === 0 && !hasOther) report(path, `${what} has no ${choice}`, 'Add one of them.');
}

/** What goes with which kind of signer. */
export const SIGNER_KEYS = {
  file: ['passphrase'],
  pkcs11: ['library', 'pin'],
  command: ['input', 'timeoutSeconds'],
} as const;

/** Keys that stand beside one of a choice, and are none of it. */
const COMPANIONS = new Set([
  ...['args', 'secrets', 'workdir', 'stage', 'output', 'sha256', 'kernel'],
  'because',
  ...['certificate', 'hash', ...Object.values(SIGNER_KEYS).flat()],
]);

export function checkTwice(items: readonly unknown[], path: DocumentPath, report: Reporter): void {
  items.forEach((item, index) => {
    if (typeof item === 'string' && items.indexOf(item) < index) {
      report([...path, index], `${quote(item)} is there twice`, 'Keep one of them.');
    }
  });
}

export function moduleName(value: unknown): string | undefined {
  return typeof value === 'string' ? value.replaceAll('-', '_') : undefined;
}

export function quote(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : String(value));
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
