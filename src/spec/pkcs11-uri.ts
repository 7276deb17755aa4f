import { SpecError } from '../errors.ts';

/** Which key of which token, as a URI of RFC 7512 names it. What is undefined may be anything. */
export interface Pkcs11Uri {
  /** Label of the token. */
  readonly token: string | undefined;
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  /** Number of the slot. */
  readonly slotId: bigint | undefined;
  /** Label of the key. */
  readonly object: string | undefined;
  /** Identifier of the key (`CKA_ID`), in hex. */
  readonly id: string | undefined;
  /** Library that speaks to the token. */
  readonly modulePath: string | undefined;
  /** File that holds the PIN. */
  readonly pinFile: string | undefined;
}

/** Attributes that name the token or the key. Those of the library and of the slot's hardware say nothing of the key. */
const PATH_ATTRIBUTES = [
  'token',
  'manufacturer',
  'model',
  'serial',
  'slot-id',
  'object',
  'id',
  'type',
] as const;
const QUERY_ATTRIBUTES = ['module-path', 'pin-source'] as const;

type Attribute = (typeof PATH_ATTRIBUTES)[number] | (typeof QUERY_ATTRIBUTES)[number];

/** Characters that may stand as they are in a value; all others are written as `%` and two hex digits. */
const VALUE = /^(?:[A-Za-z0-9\-._~:[\]@!$'()*+,=&/?|]|%[0-9A-Fa-f]{2})*$/;

/**
 * Reads the URI of a key in a token, such as `pkcs11:token=signing;object=modules?pin-source=file:/run/pin`. PINs are
 * taken by reference only. No message repeats the URI: it may hold a PIN.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 * @see https://www.rfc-editor.org/rfc/rfc7512#section-2.3
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (!text.startsWith('pkcs11:')) throw uriInvalid('it does not begin with "pkcs11:"');
  const [, path = '', query = ''] = /^pkcs11:([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  const values = new Map<Attribute, Buffer>();
  readAttributes(path.split(';'), PATH_ATTRIBUTES, values);
  readAttributes(query.split('&'), QUERY_ATTRIBUTES, values);

  const textOf = (attribute: Attribute): string | undefined => values.get(attribute)?.toString('utf8');
  const type = textOf('type');
  if (type !== undefined && type !== 'private') {
    throw uriInvalid('its type is not "private"', 'Name the private key: its certificate is a file.');
  }
  if (!values.has('object') && !values.has('id')) {
    throw uriInvalid(
      'it names no key',
      'Add "object=LABEL" or "id=%01", as "pkcs11-tool --list-objects" shows them.',
    );
  }
  return {
    token: textOf('token'),
    manufacturer: textOf('manufacturer'),
    model: textOf('model'),
    serial: textOf('serial'),
    slotId: readSlot(textOf('slot-id')),
    object: textOf('object'),
    id: values.get('id')?.toString('hex'),
    modulePath: textOf('module-path'),
    pinFile: readPinSource(textOf('pin-source')),
  };
}

function readAttributes(
  parts: readonly string[],
  known: readonly Attribute[],
  values: Map<Attribute, Buffer>,
): void {
  for (const part of parts) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? '' : part.slice(equals + 1);
    if (name === 'pin-value') {
      throw uriInvalid(
        'it holds the PIN',
        'Keep the PIN in a file or a variable: "pin-source=file:PATH", or "pin".',
      );
    }
    const attribute = known.find((one) => one === name);
    if (attribute === undefined) {
      const shown = /^[a-z-]{1,40}$/.test(name) ? `attribute ${JSON.stringify(name)}` : 'an attribute';
      throw uriInvalid(`${shown} cannot be used here`, `Use ${known.join(', ')}; queries stand behind "?".`);
    }
    if (values.has(attribute)) throw uriInvalid(`${JSON.stringify(attribute)} is there twice`);
    if (!VALUE.test(value) || value === '') throw uriInvalid(`${JSON.stringify(attribute)} is malformed`);
    const bytes = decode(value);
    if (attribute !== 'id' && !isPlainText(bytes))
      throw uriInvalid(`${JSON.stringify(attribute)} is malformed`);
    values.set(attribute, bytes);
  }
}

function decode(value: string): Buffer {
  const parts = value.split(/(%[0-9A-Fa-f]{2})/);
  return Buffer.concat(
    parts.map((part, index) =>
      index % 2 === 1 ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part, 'latin1'),
    ),
  );
}

/** UTF-8 without control characters, so that it can be an argument, and of a length that tokens know. */
function isPlainText(bytes: Buffer): boolean {
  const text = bytes.toString('utf8');
  return bytes.length <= 4096 && Buffer.from(text, 'utf8').equals(bytes) && !/[\0-\x1f\x7f]/.test(text);
}

function readSlot(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,19}$/.test(text)) throw uriInvalid('"slot-id" is no number');
  return BigInt(text);
}

/** RFC 7512 allows more here, programs to run among it; a file is what can be checked and explained. */
function readPinSource(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const path = text.replace(/^file:(?:\/\/(?=\/))?/, '');
  if (path === '' || path.startsWith('|') || path.startsWith('//') || /^[a-z][a-z0-9+.-]+:/i.test(path)) {
    throw uriInvalid('its "pin-source" is no file', 'Write "pin-source=file:PATH", or give "pin" an "env".');
  }
  return path;
}

function uriInvalid(
  why: string,
  hint = 'Write it as RFC 7512 says: "pkcs11:token=NAME;object=LABEL".',
): SpecError {
  return new SpecError('VALUE_INVALID', `Cannot use this PKCS#11 URI: ${why}`, { hint });
}
