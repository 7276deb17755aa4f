import fc from 'fast-check';

/** Runs of a property: a moderate number, or what `FUZZ_RUNS` says. */
export function fuzzRuns(moderate: number): number {
  return Number(process.env['FUZZ_RUNS'] ?? moderate);
}

/** Copies of some bytes with damage as disks, networks and attackers do it: flips, overwrites, cuts, tails. */
export function mutated(original: Uint8Array): fc.Arbitrary<Buffer> {
  const position = fc.nat({ max: Math.max(0, original.length - 1) });
  const flip = fc.record({ at: position, mask: fc.integer({ min: 1, max: 255 }) });
  const word = fc.record({
    at: position,
    bytes: fc.constantFrom(
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [255, 255, 255, 127],
      [0, 0, 0, 128],
      [1, 0, 0, 0],
    ),
  });
  return fc
    .record({
      flips: fc.array(flip, { maxLength: 4 }),
      words: fc.array(word, { maxLength: 2 }),
      cut: fc.option(position),
      tail: fc.option(fc.uint8Array({ maxLength: 50 })),
    })
    .map(({ flips, words, cut, tail }) => {
      const bytes = Buffer.from(original);
      for (const { at, mask } of flips) bytes[at] = (bytes[at] ?? 0) ^ mask;
      for (const { at, bytes: value } of words) Buffer.from(value).copy(bytes, at);
      return Buffer.concat([bytes.subarray(0, cut ?? bytes.length), tail ?? new Uint8Array()]);
    });
}
