import { malformed } from './packets.ts';

/** Largest keyring that is read: 4 MiB; those of releases have some kilobytes. */
const MAX_BYTES = 4 * 1024 ** 2;

const BLOCK =
  /^-----BEGIN PGP (PUBLIC KEY BLOCK|SIGNATURE|MESSAGE)-----[ \t]*\r?\n([\s\S]*?)^-----END PGP \1-----/gm;

/**
 * The binary form of OpenPGP data that may be armored (RFC 4880 section 6.2): all blocks of a text, one after the other.
 *
 * @throws {ResolveError} `SIGNATURE_INVALID` for armor that is damaged, and for more than 4 MiB.
 */
export function dearmor(bytes: Uint8Array): Buffer {
  if (bytes.length > MAX_BYTES) throw malformed(`it has more than ${MAX_BYTES} bytes`);
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Armor is text; the first byte of binary data has its high bit set.
  if ((data[0] ?? 0) >= 0x80) return data;
  const blocks = [...data.toString('latin1').matchAll(BLOCK)].map(([, , block = '']) => blockBytes(block));
  if (blocks.length === 0) throw malformed('it has no block of armor');
  return Buffer.concat(blocks);
}

function blockBytes(block: string): Buffer {
  const lines = block.split(/\r?\n/);
  const start = lines.findIndex((line) => line.trim() === '') + 1;
  const body = lines.slice(start).map((line) => line.trim());
  const checksum = body.find((line) => /^=[A-Za-z0-9+/]{4}$/.test(line));
  const text = body.filter((line) => line !== checksum).join('');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw malformed('its armor is no base64');
  const bytes = Buffer.from(text, 'base64');
  if (checksum !== undefined && Buffer.from(checksum.slice(1), 'base64').readUIntBE(0, 3) !== crc24(bytes)) {
    throw malformed('the checksum of its armor is not right');
  }
  return bytes;
}

/** The checksum of armor (RFC 4880 section 6.1). */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  return crc & 0xffffff;
}
