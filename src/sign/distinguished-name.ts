import { readDer, readDerChildren, readOid, type DerElement } from './der.ts';

const COMMON_NAME = '2.5.4.3';
const [BMP_STRING, UTF8_STRING] = [0x1e, 0x0c];

/**
 * The first common name of a Name in DER, which is what `modinfo` calls the signer; undefined when it has none.
 *
 * @throws {SignError} `SIGNATURE_INVALID` for bytes that are no Name.
 */
export function findCommonName(name: Buffer): string | undefined {
  for (const part of readDerChildren(readDer(name))) {
    for (const attribute of readDerChildren(part)) {
      const [oid, value] = readDerChildren(attribute);
      if (value !== undefined && readOid(oid) === COMMON_NAME) return readText(value);
    }
  }
  return undefined;
}

function readText({ tag, content }: DerElement): string {
  if (tag === UTF8_STRING) return content.toString('utf8');
  if (tag === BMP_STRING && content.length % 2 === 0)
    return Buffer.from(content).swap16().toString('utf16le');
  return content.toString('latin1');
}
