import { SignError } from '../errors.ts';

/** Tags of the types that signatures and certificates are made of. */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One value: its tag, its whole encoding, and what stands in it. Neither is copied. */
export interface DerElement {
  readonly tag: number;
  readonly der: Buffer;
  readonly content: Buffer;
}

/** Most values that may stand side by side; certificates have about a dozen extensions. */
const MAX_CHILDREN = 1000;

/** The tag of a context-specific value such as `[0]`; those that hold other values are constructed. */
export function contextTag(number: number, kind: 'constructed' | 'primitive' = 'constructed'): number {
  return (kind === 'constructed' ? 0xa0 : 0x80) + number;
}

/**
 * The value that bytes begin with. Whatever follows it is left alone.
 *
 * @throws {SignError} `SIGNATURE_INVALID` for anything but DER: lengths that are indefinite, too long or reach beyond
 * the bytes, tags of more than one byte.
 */
export function readDer(bytes: Buffer): DerElement {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw derInvalid('a value is missing');
  if ((tag & 0x1f) === 0x1f) throw derInvalid('a tag has several bytes');
  if (first < 0x80) return slice(tag, bytes, 2, first);
  const lengthBytes = first & 0x7f;
  if (lengthBytes === 0) throw derInvalid('a length is indefinite');
  if (lengthBytes > 4 || bytes.length < 2 + lengthBytes) throw derInvalid('a length is too long');
  const length = bytes.readUIntBE(2, lengthBytes);
  if (length < 0x80 || length < 2 ** (8 * (lengthBytes - 1))) throw derInvalid('a length has leading zeros');
  return slice(tag, bytes, 2 + lengthBytes, length);
}

function slice(tag: number, bytes: Buffer, headerBytes: number, length: number): DerElement {
  const end = headerBytes + length;
  if (end > bytes.length) throw derInvalid('a value is cut off');
  return { tag, der: bytes.subarray(0, end), content: bytes.subarray(headerBytes, end) };
}

/**
 * The values inside a value.
 *
 * @throws {SignError} `SIGNATURE_INVALID`.
 */
export function readDerChildren(element: DerElement): readonly DerElement[] {
  const children: DerElement[] = [];
  for (let rest = element.content; rest.length > 0;) {
    if (children.length === MAX_CHILDREN) throw derInvalid('there are too many values side by side');
    const child = readDer(rest);
    children.push(child);
    rest = rest.subarray(child.der.length);
  }
  return children;
}

/**
 * The value itself when it has the tag that must stand there.
 *
 * @throws {SignError} `SIGNATURE_INVALID`.
 */
export function expectDer(element: DerElement | undefined, tag: number): DerElement {
  if (element?.tag !== tag) {
    const found = element === undefined ? 'nothing' : `0x${element.tag.toString(16)}`;
    throw derInvalid(`0x${tag.toString(16)} should stand where ${found} is`);
  }
  return element;
}

/**
 * An object identifier in dots, for instance `2.5.4.3`.
 *
 * @throws {SignError} `SIGNATURE_INVALID`.
 */
export function readOid(element: DerElement | undefined): string {
  const { content } = expectDer(element, DER.oid);
  const arcs: number[] = [];
  let arc = 0;
  for (const [index, byte] of content.entries()) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > 2 ** 40) throw derInvalid('an object identifier has a number beyond measure');
    if (byte >= 0x80) {
      if (index === content.length - 1) throw derInvalid('an object identifier is cut off');
      continue;
    }
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40));
      arcs.push(root, arc - 40 * root);
    } else {
      arcs.push(arc);
    }
    arc = 0;
  }
  return arcs.join('.');
}

/** Encodes a value from its parts. */
export function writeDer(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag, ...lengthBytesOf(length)]), ...parts]);
}

function lengthBytesOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 + bytes.length, ...bytes];
}

/** Encodes an object identifier that is written in dots. */
export function writeOid(oid: string): Buffer {
  const [root = 0, second = 0, ...arcs] = oid.split('.').map(Number);
  const bytes = [root * 40 + second, ...arcs].flatMap((arc) => {
    const groups = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
      groups.unshift(0x80 + (rest % 128));
    }
    return groups;
  });
  return writeDer(DER.oid, Buffer.from(bytes));
}

/** Encodes a number from 0 to 127. */
export function writeSmallInteger(value: number): Buffer {
  return writeDer(DER.integer, Buffer.from([value]));
}

function derInvalid(why: string): SignError {
  return new SignError('SIGNATURE_INVALID', `Cannot read DER: ${why}`, {
    hint: 'The signature or certificate is damaged, or has another format.',
  });
}
