/** Literals are told apart by at most this many bits of what stands before them. */
const MAX_LITERAL_BITS = 4;

/*
 * Where the probabilities of each kind of decision start in one table: decisions that depend on the state and on the
 * low bits of the position first, then trees of bits, each with as many entries as it has leaves.
 */
export const IS_MATCH = 0;
export const IS_REPEAT = IS_MATCH + 12 * 16;
export const IS_REPEAT_0 = IS_REPEAT + 12;
export const IS_REPEAT_1 = IS_REPEAT_0 + 12;
export const IS_REPEAT_2 = IS_REPEAT_1 + 12;
export const IS_REPEAT_0_LONG = IS_REPEAT_2 + 12;
export const DISTANCE_SLOTS = IS_REPEAT_0_LONG + 12 * 16;
export const DISTANCE_BITS = DISTANCE_SLOTS + 4 * 64;
export const DISTANCE_ALIGN = DISTANCE_BITS + 115;
export const MATCH_LENGTH = DISTANCE_ALIGN + 16;
export const REPEAT_LENGTH = MATCH_LENGTH + 2 + 2 * 16 * 8 + 256;
export const LITERALS = REPEAT_LENGTH + 2 + 2 * 16 * 8 + 256;
export const LITERAL_BYTES = 0x300;

const EVEN = 1024;
const NOTHING = new Uint8Array();

/** What an LZMA decoder remembers from chunk to chunk. */
export class LzmaState {
  /** In 2048ths: how likely each decision was zero so far. */
  readonly probabilities = new Uint16Array(LITERALS + (LITERAL_BYTES << MAX_LITERAL_BITS));
  input: Uint8Array = NOTHING;
  output: Uint8Array = NOTHING;
  inputAt = 0;
  outputAt = 0;
  /** Nothing before it is looked back at. */
  dictionaryStart = 0;
  dictionaryBytes = 0;
  range = 0;
  code = 0;
  /** Which of 12 histories of literals and matches came last. */
  history = 0;
  /** Distances of the last four matches, less one. */
  distance0 = 0;
  distance1 = 0;
  distance2 = 0;
  distance3 = 0;
  literalContextBits = 0;
  literalPositionMask = 0;
  positionMask = 0;

  begin(input: Uint8Array, output: Uint8Array, dictionaryBytes: number): void {
    this.input = input;
    this.output = output;
    this.dictionaryBytes = dictionaryBytes;
    this.dictionaryStart = 0;
  }

  /** Takes `lc`, `lp` and `pb` out of one byte; false when they are out of bounds. */
  setProperties(byte: number): boolean {
    const literalContextBits = byte % 9;
    const rest = Math.floor(byte / 9);
    const literalPositionBits = rest % 5;
    const positionBits = Math.floor(rest / 5);
    this.literalContextBits = literalContextBits;
    this.literalPositionMask = (1 << literalPositionBits) - 1;
    this.positionMask = (1 << positionBits) - 1;
    return positionBits <= 4 && literalContextBits + literalPositionBits <= MAX_LITERAL_BITS;
  }

  reset(): void {
    this.probabilities.fill(EVEN);
    this.history = 0;
    this.distance0 = 0;
    this.distance1 = 0;
    this.distance2 = 0;
    this.distance3 = 0;
  }
}
