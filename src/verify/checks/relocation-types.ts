/**
 * Bytes that each type of relocation changes, by its number: the types that a kernel's loader knows, and `UNKNOWN` for
 * what lies between them. Modules have millions of relocations, so that this is no map.
 */
export type RelocationTypes = Int8Array;

/** Width of a type that a kernel does not know. */
export const UNKNOWN = -1;

/** Above all numbers of types. */
const MAX_TYPES = 512;

const NONE = new Int8Array(MAX_TYPES).fill(UNKNOWN);

type Widths = Readonly<Record<number, readonly number[]>>;

function widths(table: Widths, known: RelocationTypes = NONE): RelocationTypes {
  const all = known.slice();
  for (const [width, types] of Object.entries(table)) for (const type of types) all[type] = Number(width);
  return all;
}

/** Numbers from one to another, both included. */
function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

export const X86_64_32 = 10;

const POWER = widths({ 0: [109], 2: [47, 48, 50, 63, 64, 250, 252], 4: [1, 10, 26], 8: [38, 44, 51, 118] });

/**
 * By `e_machine`; the same for all kernels of a machine, but for `SINCE_6_3`.
 *
 * @see linux `arch/x86/kernel/module.c`, `arch/arm64/kernel/module.c`, `arch/powerpc/kernel/module_64.c`,
 *   `arch/s390/kernel/module.c`
 */
export const RELOCATION_TYPES: ReadonlyMap<number, RelocationTypes> = new Map([
  [62, widths({ 0: [0], 4: [2, 4, X86_64_32, 11], 8: [1, 24] })],
  [
    183,
    widths({
      0: [0, 256],
      2: [259, 262],
      4: [258, 261, ...range(263, 280), ...range(282, 293), 299],
      8: [257, 260],
    }),
  ],
  [21, POWER],
  [
    22,
    widths({
      0: [0],
      1: [1],
      2: [2, 3, 6, 15, 16, 17, 18, 27, 29, 30, 34],
      4: [4, 5, 7, 8, 13, 14, 19, 20, 21, 26, 31, 33, 35, 57, 58, 59],
      8: [22, 23, 24, 25, 28, 32, 36],
    }),
  ],
]);

/** Kernels since 6.3 on 64-bit PowerPC know more: code that does not keep a pointer to its table of contents. */
export const POWER_SINCE_6_3 = widths({ 4: [116], 8: [132, 133] }, POWER);
