/** How the machine that ran depmod reads 16-bit numbers: it decides the order of modules and of symbols. */
export type ByteOrder = 'little' | 'big';

/** Buckets of depmod's table of modules. */
export const MODULE_BUCKETS = 512;
/** Buckets of depmod's table of symbols. */
export const SYMBOL_BUCKETS = 2048;

/**
 * The hash by which depmod keeps names, as a signed 32-bit number; the bucket is its low bits. Bytes in hand are read
 * without checks (`as number`): this runs over every symbol of a kernel.
 *
 * @see kmod, `shared/hash.c`, `hash_superfast()`
 */
export function hashName(bytes: Uint8Array, start: number, end: number, byteOrder: ByteOrder): number {
  const low = byteOrder === 'little' ? 0 : 1;
  const high = 1 - low;
  const length = end - start;
  const wordsEnd = end - (length & 3);
  let hash = length;
  let at = start;
  for (; at < wordsEnd; at += 4) {
    hash = (hash + ((bytes[at + low] as number) | ((bytes[at + high] as number) << 8))) | 0;
    const second = (bytes[at + 2 + low] as number) | ((bytes[at + 2 + high] as number) << 8);
    hash = (hash << 16) ^ (second << 11) ^ hash;
    hash = (hash + (hash >>> 11)) | 0;
  }
  const rest = end - at;
  if (rest >= 2) hash = (hash + ((bytes[at + low] as number) | ((bytes[at + high] as number) << 8))) | 0;
  if (rest === 3) {
    hash ^= hash << 16;
    hash ^= (bytes[at + 2] as number) << 18;
    hash = (hash + (hash >>> 11)) | 0;
  } else if (rest === 2) {
    hash ^= hash << 11;
    hash = (hash + (hash >>> 17)) | 0;
  } else if (rest === 1) {
    hash = (hash + (bytes[at] as number)) | 0;
    hash ^= hash << 10;
    hash = (hash + (hash >>> 1)) | 0;
  }
  hash ^= hash << 3;
  hash = (hash + (hash >>> 5)) | 0;
  hash ^= hash << 4;
  hash = (hash + (hash >>> 17)) | 0;
  hash ^= hash << 25;
  return (hash + (hash >>> 6)) | 0;
}

/** Orders two pieces of one or two buffers by their bytes, as `strcmp` does. */
export function compareBytes(
  left: Uint8Array,
  leftStart: number,
  leftEnd: number,
  right: Uint8Array,
  rightStart: number,
  rightEnd: number,
): number {
  const shared = Math.min(leftEnd - leftStart, rightEnd - rightStart);
  for (let at = 0; at < shared; at++) {
    const difference = (left[leftStart + at] as number) - (right[rightStart + at] as number);
    if (difference !== 0) return difference;
  }
  return leftEnd - leftStart - (rightEnd - rightStart);
}
