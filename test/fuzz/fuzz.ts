import { readFileSync } from 'node:fs';
import { resourceUsage } from 'node:process';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';

/** Cases for each parser; `FUZZ_RUNS=1000000` makes a night of it. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 10_000);

/** What no case may need, however busy the machine is: a parser that takes this long was sent round in circles. */
const STUCK_MS = 20_000;

/** What the watchdog sees: how many cases there were, how long the latest is, and its first bytes. */
const counter = new Int32Array(new SharedArrayBuffer(8));
const latest = new Uint8Array(new SharedArrayBuffer(64 * 1024));

/** Ends the process from another thread when one case holds it: a loop without an end hears no timer. */
const WATCHDOG = `
const { writeSync } = require('node:fs');
const { workerData } = require('node:worker_threads');
const counter = new Int32Array(workerData.counter);
let last = 0;
setInterval(() => {
  const now = Atomics.load(counter, 0);
  if (now === last && now !== 0) {
    const bytes = Buffer.from(workerData.latest).subarray(0, Atomics.load(counter, 1)).toString('base64');
    writeSync(2, 'a case does not come to an end, in base64: ' + bytes + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }
  last = now;
}, workerData.everyMs);
`;

/** All cases of one file together; a parser that believes a length field asks for more in one go. */
const MAX_RSS_KILOBYTES = 1024 ** 2;

/** A parser of bytes from outside, and real inputs that the cases are made from. */
export interface Parser {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Gives a value, or throws a `KmodError`; a promise of one does as well. */
  readonly parse: (bytes: Buffer) => unknown;
}

/** Feeds each parser damaged copies of its seeds: it gives a value or a typed error, soon and within memory. */
export function fuzz(parsers: readonly Parser[]): void {
  const workerData = { counter: counter.buffer, latest: latest.buffer, everyMs: 2 * STUCK_MS };
  new Worker(WATCHDOG, { eval: true, workerData }).unref();
  describe.each(parsers)('$name', ({ seeds, parse }) => {
    it(`takes ${RUNS} damaged inputs`, async () => {
      expect(seeds.length).toBeGreaterThan(0);
      for (const seed of seeds) await survive(parse, Buffer.from(seed));
      await fc.assert(
        fc.asyncProperty(damaged(seeds), (bytes) => survive(parse, bytes)),
        { numRuns: RUNS, endOnFailure: true },
      );
    });
  });
  afterAll(() => {
    Atomics.store(counter, 0, 0);
    expect(resourceUsage().maxRSS).toBeLessThan(MAX_RSS_KILOBYTES);
  });
}

/** A file of `fixtures/`. */
export function fixture(path: string): Buffer {
  return readFileSync(new URL(`../../fixtures/${path}`, import.meta.url));
}

async function survive(parse: Parser['parse'], bytes: Buffer): Promise<void> {
  latest.set(bytes.subarray(0, latest.length));
  Atomics.store(counter, 1, Math.min(bytes.length, latest.length));
  Atomics.add(counter, 0, 1);
  const startedAt = performance.now();
  try {
    await parse(bytes);
  } catch (error) {
    if (!(error instanceof KmodError)) throw error;
  }
  expect(performance.now() - startedAt).toBeLessThan(STUCK_MS);
}

/** Values that length, offset and count fields lie with. */
const LIES: readonly (readonly number[])[] = [
  [0],
  [0xff],
  [0x80],
  [0, 0, 0, 0],
  [1, 0, 0, 0],
  [0, 0, 0, 1],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0x7f, 0xff, 0xff, 0xff],
  [0, 0, 0, 0x80],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0, 0, 0, 0, 0, 0, 0, 0x80],
];

type Damage = (bytes: Buffer) => Buffer;

/**
 * Copies of real inputs with damage as disks, networks and attackers do it: flips, lies, cuts, tails, parts that are
 * moved, repeated or left out, and parts of other inputs; and now and then bytes that are nothing at all.
 */
function damaged(seeds: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const at = (bytes: Buffer, where: number): number => Math.floor(where * (bytes.length + 1));
  const flip = fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([where, mask]): Damage => {
    return (bytes) => {
      const position = at(bytes, where);
      if (position < bytes.length) bytes[position] = (bytes[position] ?? 0) ^ mask;
      return bytes;
    };
  });
  const lie = fc.tuple(place, fc.constantFrom(...LIES)).map(([where, value]): Damage => {
    return (bytes) => {
      Buffer.from(value).copy(bytes, at(bytes, where));
      return bytes;
    };
  });
  const cut = place.map(
    (where): Damage =>
      (bytes) =>
        bytes.subarray(0, at(bytes, where)),
  );
  const tail = fc.uint8Array({ maxLength: 40 }).map(
    (more): Damage =>
      (bytes) =>
        Buffer.concat([bytes, more]),
  );
  const splice = fc
    .tuple(place, place, place, fc.constantFrom(...seeds))
    .map(([from, to, into, other]): Damage => {
      return (bytes) => {
        const source = Buffer.from(other);
        const [start = 0, end = 0] = [at(source, from), at(source, to)].sort((left, right) => left - right);
        const here = at(bytes, into);
        return Buffer.concat([bytes.subarray(0, here), source.subarray(start, end), bytes.subarray(here)]);
      };
    });
  const drop = fc.tuple(place, place).map(([from, to]): Damage => {
    return (bytes) => {
      const [start = 0, end = 0] = [at(bytes, from), at(bytes, to)].sort((left, right) => left - right);
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
    };
  });
  const damages = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: flip },
      { weight: 6, arbitrary: lie },
      { weight: 1, arbitrary: cut },
      { weight: 1, arbitrary: tail },
      { weight: 2, arbitrary: splice },
      { weight: 1, arbitrary: drop },
    ),
    { minLength: 1, maxLength: 5 },
  );
  const copy = fc
    .tuple(fc.constantFrom(...seeds), damages)
    .map(([seed, all]) => all.reduce((bytes: Buffer, damage) => damage(bytes), Buffer.from(seed)));
  const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  return fc.oneof({ weight: 19, arbitrary: copy }, { weight: 1, arbitrary: noise });
}
