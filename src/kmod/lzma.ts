import {
  DISTANCE_ALIGN,
  DISTANCE_BITS,
  DISTANCE_SLOTS,
  IS_MATCH,
  IS_REPEAT,
  IS_REPEAT_0,
  IS_REPEAT_0_LONG,
  IS_REPEAT_1,
  IS_REPEAT_2,
  LITERAL_BYTES,
  LITERALS,
  type LzmaState,
  MATCH_LENGTH,
  REPEAT_LENGTH,
} from './lzma-state.ts';

/** Below this the range gets its next byte of the input. */
const TOP = 0x100_0000;

/**
 * Unpacks LZMA up to a position of the output.
 *
 * One bit after the other, a range of numbers is split by how likely the bit is, and the code says into which part it
 * falls. Each split stands where it is made: calls would take longer than the work. Inside trees of bits, where nobody
 * could guess the next one, it is made without a branch: `zero` has all bits set when the bit is 0, `one` when it is 1.
 *
 * @returns False for data that cannot be: a match before the start or beyond the end.
 * @see LZMA SDK, `lzma-specification.txt`
 */
export function decodeLzma(state: LzmaState, end: number): boolean {
  const {
    probabilities: table,
    input,
    output,
    positionMask,
    literalPositionMask,
    literalContextBits,
  } = state;
  const { dictionaryStart: origin, dictionaryBytes } = state;
  let { range, code, inputAt, outputAt: at, history } = state;
  let { distance0, distance1, distance2, distance3 } = state;
  let entry = 0;
  let chance = 0;
  let bound = 0;
  let zero = 0;
  let one = 0;
  while (at < end) {
    const position = (at - origin) & positionMask;
    entry = IS_MATCH + (history << 4) + position;
    chance = table[entry] as number;
    if (range < TOP) {
      range = (range << 8) >>> 0;
      code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
    }
    bound = Math.imul(range >>> 11, chance) >>> 0;
    if (code < bound) {
      range = bound;
      table[entry] = chance + ((2048 - chance) >>> 5);
      const before = at > origin ? (output[at - 1] as number) : 0;
      const context =
        (((at - origin) & literalPositionMask) << literalContextBits) + (before >>> (8 - literalContextBits));
      const literals = LITERALS + LITERAL_BYTES * context;
      let symbol = 1;
      if (history < 7) {
        do {
          entry = literals + symbol;
          chance = table[entry] as number;
          if (range < TOP) {
            range = (range << 8) >>> 0;
            code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
          }
          bound = Math.imul(range >>> 11, chance) >>> 0;
          zero = ((code >>> 1) - (bound >>> 1) - (~code & bound & 1)) >> 31;
          one = ~zero;
          range = ((bound & zero) | ((range - bound) & one)) >>> 0;
          code = (code - (bound & one)) >>> 0;
          table[entry] = chance + ((((2048 - chance) >>> 5) & zero) - ((chance >>> 5) & one));
          symbol = (symbol << 1) - one;
        } while (symbol < 0x100);
      } else {
        // After a match, the byte that would have followed it tells something, up to the first bit that differs.
        let matched = output[at - distance0 - 1] as number;
        let same = 0x100;
        do {
          matched <<= 1;
          const bit = matched & same;
          entry = literals + same + bit + symbol;
          chance = table[entry] as number;
          if (range < TOP) {
            range = (range << 8) >>> 0;
            code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
          }
          bound = Math.imul(range >>> 11, chance) >>> 0;
          zero = ((code >>> 1) - (bound >>> 1) - (~code & bound & 1)) >> 31;
          one = ~zero;
          range = ((bound & zero) | ((range - bound) & one)) >>> 0;
          code = (code - (bound & one)) >>> 0;
          table[entry] = chance + ((((2048 - chance) >>> 5) & zero) - ((chance >>> 5) & one));
          symbol = (symbol << 1) - one;
          same &= bit ^ zero;
        } while (symbol < 0x100);
      }
      output[at++] = symbol;
      history = history < 4 ? 0 : history < 10 ? history - 3 : history - 6;
      continue;
    }
    range = (range - bound) >>> 0;
    code = (code - bound) >>> 0;
    table[entry] = chance - (chance >>> 5);

    entry = IS_REPEAT + history;
    chance = table[entry] as number;
    if (range < TOP) {
      range = (range << 8) >>> 0;
      code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
    }
    bound = Math.imul(range >>> 11, chance) >>> 0;
    const isRepeat = code >= bound;
    if (!isRepeat) {
      range = bound;
      table[entry] = chance + ((2048 - chance) >>> 5);
      distance3 = distance2;
      distance2 = distance1;
      distance1 = distance0;
      history = history < 7 ? 7 : 10;
    } else {
      range = (range - bound) >>> 0;
      code = (code - bound) >>> 0;
      table[entry] = chance - (chance >>> 5);
      entry = IS_REPEAT_0 + history;
      chance = table[entry] as number;
      if (range < TOP) {
        range = (range << 8) >>> 0;
        code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
      }
      bound = Math.imul(range >>> 11, chance) >>> 0;
      if (code < bound) {
        range = bound;
        table[entry] = chance + ((2048 - chance) >>> 5);
        entry = IS_REPEAT_0_LONG + (history << 4) + position;
        chance = table[entry] as number;
        if (range < TOP) {
          range = (range << 8) >>> 0;
          code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
        }
        bound = Math.imul(range >>> 11, chance) >>> 0;
        if (code < bound) {
          range = bound;
          table[entry] = chance + ((2048 - chance) >>> 5);
          if (distance0 >= at - origin) return false;
          output[at] = output[at - distance0 - 1] as number;
          at++;
          history = history < 7 ? 9 : 11;
          continue;
        }
        range = (range - bound) >>> 0;
        code = (code - bound) >>> 0;
        table[entry] = chance - (chance >>> 5);
      } else {
        range = (range - bound) >>> 0;
        code = (code - bound) >>> 0;
        table[entry] = chance - (chance >>> 5);
        entry = IS_REPEAT_1 + history;
        chance = table[entry] as number;
        if (range < TOP) {
          range = (range << 8) >>> 0;
          code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
        }
        bound = Math.imul(range >>> 11, chance) >>> 0;
        let distance = distance1;
        if (code < bound) {
          range = bound;
          table[entry] = chance + ((2048 - chance) >>> 5);
        } else {
          range = (range - bound) >>> 0;
          code = (code - bound) >>> 0;
          table[entry] = chance - (chance >>> 5);
          entry = IS_REPEAT_2 + history;
          chance = table[entry] as number;
          if (range < TOP) {
            range = (range << 8) >>> 0;
            code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
          }
          bound = Math.imul(range >>> 11, chance) >>> 0;
          if (code < bound) {
            range = bound;
            table[entry] = chance + ((2048 - chance) >>> 5);
            distance = distance2;
          } else {
            range = (range - bound) >>> 0;
            code = (code - bound) >>> 0;
            table[entry] = chance - (chance >>> 5);
            distance = distance3;
            distance3 = distance2;
          }
          distance2 = distance1;
        }
        distance1 = distance0;
        distance0 = distance;
      }
      history = history < 7 ? 8 : 11;
    }

    const lengths = isRepeat ? REPEAT_LENGTH : MATCH_LENGTH;
    let tree = lengths + 2 + (position << 3);
    let leaves = 8;
    let length = 2;
    entry = lengths;
    chance = table[entry] as number;
    if (range < TOP) {
      range = (range << 8) >>> 0;
      code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
    }
    bound = Math.imul(range >>> 11, chance) >>> 0;
    if (code < bound) {
      range = bound;
      table[entry] = chance + ((2048 - chance) >>> 5);
    } else {
      range = (range - bound) >>> 0;
      code = (code - bound) >>> 0;
      table[entry] = chance - (chance >>> 5);
      entry = lengths + 1;
      chance = table[entry] as number;
      if (range < TOP) {
        range = (range << 8) >>> 0;
        code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
      }
      bound = Math.imul(range >>> 11, chance) >>> 0;
      if (code < bound) {
        range = bound;
        table[entry] = chance + ((2048 - chance) >>> 5);
        tree = lengths + 130 + (position << 3);
        length = 10;
      } else {
        range = (range - bound) >>> 0;
        code = (code - bound) >>> 0;
        table[entry] = chance - (chance >>> 5);
        tree = lengths + 258;
        leaves = 256;
        length = 18;
      }
    }
    let symbol = 1;
    do {
      entry = tree + symbol;
      chance = table[entry] as number;
      if (range < TOP) {
        range = (range << 8) >>> 0;
        code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
      }
      bound = Math.imul(range >>> 11, chance) >>> 0;
      zero = ((code >>> 1) - (bound >>> 1) - (~code & bound & 1)) >> 31;
      one = ~zero;
      range = ((bound & zero) | ((range - bound) & one)) >>> 0;
      code = (code - (bound & one)) >>> 0;
      table[entry] = chance + ((((2048 - chance) >>> 5) & zero) - ((chance >>> 5) & one));
      symbol = (symbol << 1) - one;
    } while (symbol < leaves);
    length += symbol - leaves;

    if (!isRepeat) {
      tree = DISTANCE_SLOTS + ((length < 6 ? length - 2 : 3) << 6);
      symbol = 1;
      do {
        entry = tree + symbol;
        chance = table[entry] as number;
        if (range < TOP) {
          range = (range << 8) >>> 0;
          code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
        }
        bound = Math.imul(range >>> 11, chance) >>> 0;
        zero = ((code >>> 1) - (bound >>> 1) - (~code & bound & 1)) >> 31;
        one = ~zero;
        range = ((bound & zero) | ((range - bound) & one)) >>> 0;
        code = (code - (bound & one)) >>> 0;
        table[entry] = chance + ((((2048 - chance) >>> 5) & zero) - ((chance >>> 5) & one));
        symbol = (symbol << 1) - one;
      } while (symbol < 64);
      const slot = symbol - 64;
      distance0 = slot;
      if (slot >= 4) {
        // The slot has the two highest bits; the others follow, the lowest first where they have chances of their own.
        let bits = (slot >>> 1) - 1;
        distance0 = (2 | (slot & 1)) << bits;
        if (slot < 14) {
          tree = DISTANCE_BITS + distance0 - slot - 1;
        } else {
          let plain = 0;
          for (let left = bits - 4; left > 0; left--) {
            if (range < TOP) {
              range = (range << 8) >>> 0;
              code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
            }
            range >>>= 1;
            zero = ((code >>> 1) - (range >>> 1) - (~code & range & 1)) >> 31;
            code = (code - (range & ~zero)) >>> 0;
            plain = (plain << 1) + zero + 1;
          }
          distance0 += plain << 4;
          tree = DISTANCE_ALIGN;
          bits = 4;
        }
        symbol = 1;
        for (let low = 0; low < bits; low++) {
          entry = tree + symbol;
          chance = table[entry] as number;
          if (range < TOP) {
            range = (range << 8) >>> 0;
            code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
          }
          bound = Math.imul(range >>> 11, chance) >>> 0;
          zero = ((code >>> 1) - (bound >>> 1) - (~code & bound & 1)) >> 31;
          one = ~zero;
          range = ((bound & zero) | ((range - bound) & one)) >>> 0;
          code = (code - (bound & one)) >>> 0;
          table[entry] = chance + ((((2048 - chance) >>> 5) & zero) - ((chance >>> 5) & one));
          symbol = (symbol << 1) - one;
          distance0 -= one << low;
        }
      }
    }
    if (distance0 < 0 || distance0 >= at - origin || distance0 >= dictionaryBytes || at + length > end) {
      return false;
    }
    const stop = at + length;
    for (let from = at - distance0 - 1; at < stop; from++) output[at++] = output[from] as number;
  }
  if (range < TOP) {
    range = (range << 8) >>> 0;
    code = ((code << 8) | (input[inputAt++] as number)) >>> 0;
  }
  state.range = range;
  state.code = code;
  state.inputAt = inputAt;
  state.outputAt = at;
  state.history = history;
  state.distance0 = distance0;
  state.distance1 = distance1;
  state.distance2 = distance2;
  state.distance3 = distance3;
  return true;
}
