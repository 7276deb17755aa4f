/*
 * The polynomial of ECMA-182, bits reversed, in two halves: JavaScript has no fast numbers of 64 bits.
 */
const [HIGH, LOW] = [0xc96c_5795, 0xd787_0f42] as const;

/** High and low half of what each byte stands for. */
const TABLE = makeTable();

function makeTable(): { readonly high: Uint32Array; readonly low: Uint32Array } {
  const table = { high: new Uint32Array(256), low: new Uint32Array(256) };
  for (let byte = 0; byte < 256; byte++) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) !== 0;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) {
        low ^= LOW;
        high ^= HIGH;
      }
    }
    table.high[byte] = high;
    table.low[byte] = low;
  }
  return table;
}

/** The CRC-64 of xz, as its eight bytes stand in the file. */
export function crc64(bytes: Uint8Array): Buffer {
  let high = 0xffff_ffff;
  let low = 0xffff_ffff;
  for (const byte of bytes) {
    const index = (low ^ byte) & 0xff;
    low = (low >>> 8) | (high << 24);
    low ^= TABLE.low[index] ?? 0;
    high = (high >>> 8) ^ (TABLE.high[index] ?? 0);
  }
  const sum = Buffer.alloc(8);
  sum.writeUInt32LE(~low >>> 0, 0);
  sum.writeUInt32LE(~high >>> 0, 4);
  return sum;
}
