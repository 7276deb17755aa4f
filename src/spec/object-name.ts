import { createHash } from 'node:crypto';
import type { Brand } from '../brand.ts';
import { SpecError } from '../errors.ts';

/** A Kubernetes object name: a DNS-1123 subdomain label of at most 63 characters. */
export type ObjectName = Brand<string, 'ObjectName'>;

const OBJECT_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** @throws {SpecError} `VALUE_INVALID`. */
export function parseObjectName(text: string): ObjectName {
  if (!OBJECT_NAME.test(text)) {
    throw new SpecError('VALUE_INVALID', `Cannot use ${JSON.stringify(text.slice(0, 200))} as a name`, {
      hint: 'Use at most 63 lower-case letters, digits and "-", with a letter or digit at both ends.',
    });
  }
  return text as ObjectName;
}

/**
 * Makes a name out of any text: other characters become `-`; what is cut off at 63 characters is replaced by eight
 * digits of its hash, so that two long texts that begin alike stay apart.
 */
export function objectNameFrom(text: string): ObjectName {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  if (plain.length <= 63 && plain !== '') return parseObjectName(plain);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  return parseObjectName(`${plain.slice(0, 54).replace(/-+$/, '') || 'x'}-${hash}`);
}
