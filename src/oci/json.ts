import { OciError } from '../errors.ts';

/** Deepest nesting that is read. Real manifests and configs have five levels; writing thousands of them back fails. */
const MAX_DEPTH = 100;

/**
 * Parses JSON from foreign bytes, up to a limit on its nesting.
 *
 * @throws {OciError} `LIMIT_EXCEEDED`; {SyntaxError} when it is not JSON.
 */
export function parseJson(bytes: Uint8Array): unknown {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (isText) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isText = false;
    } else if (byte === 0x22) isText = true;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    if (depth > MAX_DEPTH) throw new OciError('LIMIT_EXCEEDED', 'Cannot read JSON that is nested this deep');
  }
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
}
