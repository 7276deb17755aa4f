import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { CompiledUnit } from '../src/compile-unit.ts';
import type { BuildEvent } from '../src/events.ts';
import type { CompileUnit } from '../src/plan/plan.ts';
import { makeUnitRunner, type UnitRunner, type UnitRunnerOptions } from '../src/run-units.ts';

interface Image {
  readonly id: string;
  readonly compiles: readonly CompileUnit[];
}

/** What the units of a test do, and what was seen of it. */
interface Work extends Partial<UnitRunnerOptions> {
  /** Milliseconds that a unit takes, and whether it fails then. */
  readonly units?: Readonly<Record<string, { readonly ms?: number; readonly fails?: boolean }>>;
  readonly signal?: AbortSignal;
}

interface Seen {
  readonly order: string[];
  /** Most units of a kind that ran at a time. */
  readonly most: Record<'compile' | 'image', number>;
  readonly ends: Record<string, string>;
}

const compileOf = (id: string, ...needs: readonly CompileUnit[]): CompileUnit =>
  ({ id, needs }) as unknown as CompileUnit;

/** Units of a plan are there once, whoever needs them. */
const known = new Map<string, CompileUnit>();

function knownUnit(id: string): CompileUnit {
  const unit = known.get(id) ?? compileOf(id);
  known.set(id, unit);
  return unit;
}

function imageOf(id: string, ...compiles: readonly string[]): Image {
  return { id, compiles: compiles.map(knownUnit) };
}

function setUp({ units = {}, signal = new AbortController().signal, ...options }: Work): {
  readonly runner: UnitRunner;
  readonly seen: Seen;
  readonly images: (...images: readonly Image[]) => Promise<readonly string[]>;
} {
  const seen: Seen = { order: [], most: { compile: 0, image: 0 }, ends: {} };
  const running = { compile: 0, image: 0 };
  const doUnit = async (id: string, kind: 'compile' | 'image'): Promise<void> => {
    running[kind]++;
    seen.most[kind] = Math.max(seen.most[kind], running[kind]);
    await sleep(units[id]?.ms ?? 1);
    running[kind]--;
    seen.order.push(id);
    if (units[id]?.fails === true) throw new Error(`${id} broke`);
  };
  const report = (event: BuildEvent): void => {
    if (event.type === 'unit-finished') seen.ends[event.unit] = event.outcome;
  };
  const runner = makeUnitRunner(
    { jobs: 2, images: 2, keepGoing: false, ...options },
    async (unit) => {
      await doUnit(unit.id, 'compile');
      return { unit, wasThere: false } as CompiledUnit;
    },
    { report, now: () => new Date(), signal },
  );
  const images = async (...wanted: readonly Image[]): Promise<readonly string[]> => {
    const made = await runner.run('image', wanted, async ({ id, compiles }, { compiled, make }) => {
      const drivers = await compiled(compiles);
      await make(() => doUnit(id, 'image'));
      return { wasThere: false, name: `${id} of ${drivers.map(({ unit }) => unit.id).join(' ')}` };
    });
    return made.map(({ name }) => name);
  };
  return { runner, seen, images };
}

describe('makeUnitRunner()', () => {
  it('takes units of one name for what they are', async () => {
    const { images, seen } = setUp({});
    const [one, other] = [compileOf('ice for 5.14.0'), compileOf('ice for 5.14.0')];

    await images({ id: 'x86_64', compiles: [one] }, { id: 'aarch64', compiles: [other] });

    expect(seen.order.filter((id) => id === 'ice for 5.14.0')).toHaveLength(2);
  });

  it('compiles each unit once, and gives results in the order of the units', async () => {
    const { seen, images } = setUp({ units: { one: { ms: 20 } } });

    const made = await images(imageOf('one', 'a', 'b'), imageOf('two', 'b', 'a'), imageOf('three'));

    expect(made).toEqual(['one of a b', 'two of b a', 'three of ']);
    expect(seen.order.filter((id) => id === 'a')).toHaveLength(1);
  });

  it('forgets modules when the last unit that needs them has ended, and tells of their compiles all the same', async () => {
    setFlagsFromString('--expose_gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const modules = new Map<string, WeakRef<object>>();
    const base = compileOf('base');
    const [a, b] = [compileOf('a', base), compileOf('b', base)];
    const runner = makeUnitRunner(
      { jobs: 2, images: 3, keepGoing: false },
      async (unit) => {
        const made = [{ name: unit.id, bytes: new Uint8Array(1000) }];
        modules.set(unit.id, new WeakRef(made));
        return { unit, wasThere: false, modules: made } as unknown as CompiledUnit;
      },
      { report: () => undefined, now: () => new Date(), signal: new AbortController().signal },
    );
    const alive = async (): Promise<readonly string[]> => {
      // Until the current task ends, everything that a reference gave is kept.
      await sleep(5);
      collectGarbage();
      return [...modules].flatMap(([id, one]) => (one.deref() === undefined ? [] : [id])).sort();
    };
    let seen: readonly string[] = [];

    await Promise.all([
      runner.run('image', [{ id: 'one', compiles: [a] }], async (unit, { compiled }) => {
        await compiled(unit.compiles);
        return { wasThere: false };
      }),
      runner.run('kmod-image', [{ id: 'two', compiles: [b] }], async (unit, { compiled }) => {
        await compiled(unit.compiles);
        await sleep(20);
        seen = await alive();
        return { wasThere: false };
      }),
    ]);

    expect(seen).toEqual(['b', 'base']);
    expect(await alive()).toEqual([]);
    const { compiled } = runner.summary();
    expect(compiled.map(({ unit }) => unit.id).sort()).toEqual(['a', 'b', 'base']);
  });

  it('compiles what a unit needs before it, in one turn at a time, and blocks it when that fails', async () => {
    const base = compileOf('base');
    const image = { id: 'one', compiles: [compileOf('a', base), compileOf('b', base)] };
    const good = setUp({ jobs: 1 });
    expect(await good.images(image)).toEqual(['one of a b']);
    expect(good.seen.order).toEqual(['base', 'a', 'b', 'one']);

    const bad = setUp({ units: { base: { fails: true } }, keepGoing: true });
    expect(await bad.images(image)).toEqual([]);
    expect(bad.seen.ends).toEqual({ base: 'failed', a: 'blocked', b: 'blocked', one: 'blocked' });
  });

  it('begins an image as soon as its own compiles are done', async () => {
    const { seen, images } = setUp({ units: { slow: { ms: 50 } } });

    await images(imageOf('waits', 'slow'), imageOf('goes', 'quick'));

    expect(seen.order).toEqual(['quick', 'goes', 'slow', 'waits']);
  });

  it('runs no more of a kind than it may', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const { seen, images } = setUp({ jobs: 3, images: 2, units: { a: { ms: 10 } } });

    await images(...names.map((name) => imageOf(`image ${name}`, name)));

    expect(seen.most).toEqual({ compile: 3, image: 2 });
  });

  it('does all that needs nothing of what failed when it is to keep going', async () => {
    const { runner, seen, images } = setUp({
      keepGoing: true,
      units: { bad: { fails: true }, two: { fails: true } },
    });

    const made = await images(
      imageOf('one', 'bad', 'good'),
      imageOf('two', 'good'),
      imageOf('three', 'good'),
    );

    expect(made).toEqual(['three of good']);
    expect(runner.summary()).toMatchObject({
      compiled: [{ unit: { id: 'good' } }],
      failures: [
        { what: 'bad', kind: 'compile', error: { message: 'bad broke' } },
        {
          what: 'one',
          kind: 'image',
          error: { code: 'DEPENDENCY_FAILED', message: 'Cannot make one: it needs bad, which failed' },
        },
        { what: 'two', kind: 'image', error: { message: 'two broke' } },
      ],
      notBegun: [],
    });
    expect(seen.ends).toEqual({
      ...{ bad: 'failed', good: 'done' },
      ...{ one: 'blocked', two: 'failed', three: 'done' },
    });
  });

  it('ends what runs and begins nothing more after a failure otherwise, and says what that leaves', async () => {
    const { runner, seen, images } = setUp({ units: { bad: { ms: 5, fails: true }, long: { ms: 30 } } });

    const made = await images(imageOf('one', 'bad'), imageOf('two', 'long'), imageOf('three', 'late'));

    expect(made).toEqual([]);
    expect(seen.order).toEqual(['bad', 'long']);
    expect(runner.summary()).toMatchObject({
      compiled: [{ unit: { id: 'long' } }],
      failures: [{ what: 'bad' }, { what: 'one', error: { code: 'DEPENDENCY_FAILED' } }],
      notBegun: ['late', 'three', 'two'],
    });
  });

  it('throws the reason of its signal, after all that ran has ended', async () => {
    const controller = new AbortController();
    const { runner, seen, images } = setUp({
      signal: controller.signal,
      units: { a: { ms: 20 }, b: { ms: 30 } },
    });

    const running = images(imageOf('one', 'a'), imageOf('two', 'b'), imageOf('three', 'c'));
    await sleep(5);
    controller.abort(new Error('^C'));

    await running;
    expect(() => runner.summary()).toThrow('^C');
    expect(seen.order).toEqual(['a', 'b']);
  });
});
