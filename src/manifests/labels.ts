import { SpecError } from '../errors.ts';
import type { ArgumentReader } from './arguments.ts';

/** Labels of an object, or a choice of objects by their labels: each key and value is one that Kubernetes takes. */
export type Labels = Readonly<Record<string, string>>;

const SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/**
 * Reads a DNS-1123 subdomain: names of most objects, and what stands before the `/` of a key.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseSubdomain(text: string): string {
  if (text.length <= 253 && SUBDOMAIN.test(text)) return text;
  throw new SpecError('VALUE_INVALID', `Cannot use ${JSON.stringify(text.slice(0, 200))} as a name`, {
    hint: 'Use lower-case letters, digits, "-" and ".", with a letter or digit at both ends.',
  });
}

/**
 * Reads the key of a label, for instance `node-role.kubernetes.io/worker`.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseLabelKey(text: string): string {
  const slash = text.indexOf('/');
  const prefix = slash < 0 ? undefined : text.slice(0, slash);
  const isPrefixed = prefix === undefined || (prefix.length <= 253 && SUBDOMAIN.test(prefix));
  if (isPrefixed && NAME.test(text.slice(slash + 1))) return text;
  throw new SpecError('VALUE_INVALID', `Cannot use label ${JSON.stringify(text.slice(0, 200))}`, {
    hint: 'Write NAME or DOMAIN/NAME, with a NAME of at most 63 letters, digits and "._-".',
  });
}

/**
 * Reads the value of a label, which may be empty.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseLabelValue(text: string): string {
  if (text === '' || NAME.test(text)) return text;
  throw new SpecError(
    'VALUE_INVALID',
    `Cannot use ${JSON.stringify(text.slice(0, 200))} as value of a label`,
    {
      hint: 'Use at most 63 letters, digits and "._-", with a letter or digit at both ends.',
    },
  );
}

/** Reads labels out of an argument; what is wrong is reported at the key. */
export function readLabels(read: ArgumentReader, path: string, value: unknown): Labels {
  return Object.fromEntries(
    read.mapping(path, value, (at, key, item) => {
      const label = read.text(at, key, parseLabelKey);
      const setting = read.text(at, item, parseLabelValue);
      return label === undefined || setting === undefined ? undefined : ([label, setting] as const);
    }),
  );
}
