/** One field of a protobuf message: its number, and its bytes or number. */
export interface ProtobufField {
  readonly number: number;
  /** Of a length-delimited field; empty for others. */
  readonly bytes: Uint8Array;
  /** Of a varint field; 0 for others. */
  readonly value: number;
}

/**
 * The fields of a protobuf message, in their order. A message that breaks off gives the fields before that: what is read
 * here is output that is shown, so nothing of it is worth failing for.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function readProtobuf(message: Uint8Array): readonly ProtobufField[] {
  const fields: ProtobufField[] = [];
  let at = 0;
  const varint = (): number | undefined => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < message.length) {
    const key = varint();
    if (key === undefined) break;
    const number = Math.floor(key / 8);
    const type = key % 8;
    if (type === 0) {
      const value = varint();
      if (value === undefined) break;
      fields.push({ number, bytes: EMPTY, value });
      continue;
    }
    const length = type === 2 ? varint() : type === 1 ? 8 : type === 5 ? 4 : undefined;
    if (length === undefined || at + length > message.length) break;
    const bytes = message.subarray(at, at + length);
    at += length;
    fields.push({ number, bytes: type === 2 ? bytes : EMPTY, value: 0 });
  }
  return fields;
}

const EMPTY = new Uint8Array();

/** A length-delimited field. */
export function writeProtobuf(number: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}
