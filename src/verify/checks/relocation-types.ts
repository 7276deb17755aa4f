/** Bytes that each type of relocation changes, by its number: the types that a kernel's loader knows. */
export type RelocationTypes = ReadonlyMap<number, number>;

function widths(table: Readonly<Record<number, readonly number[]>>): RelocationTypes {
  return new Map(
    Object.entries(table).flatMap(([width, types]) =>
      types.map((type): [number, number] => [type, Number(width)]),
    ),
  );
}

/** Numbers from one to another, both included. */
function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

export const X86_64_32 = 10;

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
  [21, widths({ 0: [109], 2: [47, 48, 50, 63, 64, 250, 252], 4: [1, 10, 26], 8: [38, 44, 51, 118] })],
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

/** What kernels since 6.3 know on 64-bit PowerPC besides: code that does not keep a pointer to its table of contents. */
export const POWER_SINCE_6_3: RelocationTypes = widths({ 4: [116], 8: [132, 133] });
