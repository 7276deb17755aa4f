import { gunzipSync } from 'node:zlib';

/** A data URL that was read, or why nobody can read it. */
export type DataUrl =
  | { readonly isValid: true; readonly bytes: Buffer; readonly isBase64: boolean }
  | { readonly isValid: false; readonly why: string };

/** `urlchar` of RFC 2397, without what begins an escape. */
const PLAIN = /^[A-Za-z0-9\-_.!~*'();/?:@&=+$,]*$/;

const MEDIA_TYPE = /^(?:[A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+)?$/;

const PARAMETER = /^[A-Za-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$&^_.+%*'-]+|"[^"]*")$/;

/**
 * Reads a data URL as strictly as nodes do.
 *
 * @see RFC 2397, sections 2 and 3
 */
export function readDataUrl(url: string): DataUrl {
  const comma = url.indexOf(',');
  if (comma < 0) return { isValid: false, why: 'it has no comma between its type and its data' };
  const [mediaType = '', ...parameters] = url.slice('data:'.length, comma).split(';');
  if (!MEDIA_TYPE.test(mediaType)) return { isValid: false, why: 'its media type is none' };
  const isBase64 = parameters.at(-1) === 'base64';
  const rest = isBase64 ? parameters.slice(0, -1) : parameters;
  if (!rest.every((parameter) => PARAMETER.test(parameter)))
    return {
      isValid: false,
      why: rest.includes('base64')
        ? 'base64 is not the last word before the comma'
        : 'a parameter of its media type is none',
    };
  const data = url.slice(comma + 1);
  return isBase64 ? readBase64(data) : readPlain(data);
}

function readBase64(data: string): DataUrl {
  const text = /[\r\n]/.test(data) ? data.replaceAll(/[\r\n]/g, '') : data;
  if (/%/.test(text)) return { isValid: false, why: 'its base64 is percent-encoded' };
  if (/[-_]/.test(text))
    return { isValid: false, why: 'its base64 uses the alphabet for URLs ("-" and "_")' };
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return { isValid: false, why: 'its data is no base64' };
  if (text.length % 4 !== 0) return { isValid: false, why: 'its base64 was cut, or lacks its padding ("=")' };
  return { isValid: true, bytes: Buffer.from(text, 'base64'), isBase64: true };
}

function readPlain(data: string): DataUrl {
  const parts = data.split('%');
  const chunks: Buffer[] = [];
  for (const [at, part] of parts.entries()) {
    const isEscaped = at > 0;
    if (isEscaped && !/^[0-9A-Fa-f]{2}/.test(part))
      return { isValid: false, why: 'a "%" is not followed by two hex digits' };
    const text = isEscaped ? part.slice(2) : part;
    if (!PLAIN.test(text)) {
      const wrong = /[^A-Za-z0-9\-_.!~*'();/?:@&=+$,]/u.exec(text)?.[0] ?? '';
      return { isValid: false, why: `${JSON.stringify(wrong)} is not percent-encoded` };
    }
    if (isEscaped) chunks.push(Buffer.from([Number.parseInt(part.slice(0, 2), 16)]));
    chunks.push(Buffer.from(text, 'latin1'));
  }
  return { isValid: true, bytes: Buffer.concat(chunks), isBase64: false };
}

/** What gzip unpacks to; `too-large` beyond `limit` bytes. */
export function unpackGzip(bytes: Buffer, limit: number): Buffer | 'broken' | 'too-large' {
  try {
    return gunzipSync(bytes, { maxOutputLength: limit });
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
      ? 'too-large'
      : 'broken';
  }
}
