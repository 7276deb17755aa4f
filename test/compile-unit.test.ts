import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileUnit } from '../src/compile-unit.ts';
import type { Engine } from '../src/engine/engine.ts';
import { makeSources } from '../src/engine/make-sources.ts';
import { compileHashOf, sourceHashOf } from '../src/plan/inputs.ts';
import { pinSource } from '../src/plan/pin-source.ts';
import { parseImagePattern } from '../src/spec/values.ts';
import type { CompileUnit } from '../src/plan/plan.ts';
import { makeRequest, RUN } from './compile/requests.ts';
import { makeInputs } from './plan/targets.ts';
import { makeTestIo, type TestIo, withTemporaryDirectory } from './support/io.ts';

interface World {
  readonly io: TestIo;
  readonly directory: string;
  readonly unit: CompileUnit;
  readonly builds: { count: number; jobs: string[] };
}

/** A driver in a directory, and an engine that "compiles" it by writing files. */
async function withWorld(
  use: (world: World) => Promise<void>,
  fail: () => void = () => undefined,
): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const builds: World['builds'] = { count: 0, jobs: [] };
    await mkdir(join(directory, 'hello'));
    await writeFile(join(directory, 'hello/hello.c'), 'int hello;\n');
    const engine: Engine = {
      ...{ name: 'podman', version: '5.0.0' },
      pull: () => Promise.resolve('image'),
      async build({ outputDirectory, builds: [{ args }] }) {
        builds.count++;
        builds.jobs.push(args['KMODLAYER_JOBS'] ?? '');
        fail();
        for (const name of ['kl_hello', 'kl_base']) {
          const path = join(outputDirectory, `modules/${name}.ko`);
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, `module ${name}`);
        }
      },
    };
    const { web } = makeTestIo();
    const io = makeTestIo({
      engine: () => Promise.resolve(engine),
      sources: makeSources({ web, directory: join(directory, 'downloads') }),
    });
    const { driver, kernel, arch, target } = makeRequest(RUN);
    const unit = { id: `hello for ${kernel}`, flavour: 'rt', driver, kernel, arch, target } as CompileUnit;
    await use({ io, directory, unit, builds });
  });
}

const optionsIn = (directory: string) => ({
  set: { file: join(directory, 'kmodlayer.yaml') },
  makeJobs: 3,
  force: false,
});

/** A unit as a plan that is made now has it. */
async function plannedNow(
  unit: CompileUnit,
  { set }: ReturnType<typeof optionsIn>,
  io: TestIo,
): Promise<CompileUnit> {
  const source = await pinSource(unit.driver, set, io);
  const inputs = makeInputs({ drivers: [] }, { drivers: new Map([['hello', { source, firmware: [] }]]) });
  const sourceHash = sourceHashOf(unit.driver, inputs);
  return {
    ...unit,
    source,
    sourceHash,
    inputHash: compileHashOf(unit.driver, sourceHash, { ...unit, needs: [] }),
  };
}

async function compileNow(
  unit: CompileUnit,
  options: ReturnType<typeof optionsIn>,
  io: TestIo,
): ReturnType<typeof compileUnit> {
  return compileUnit(await plannedNow(unit, options, io), options, io);
}

describe('compileUnit()', () => {
  it('compiles once for the same inputs', async () => {
    await withWorld(async ({ io, directory, unit, builds }) => {
      const first = await compileNow(unit, optionsIn(directory), io);
      const second = await compileNow(unit, optionsIn(directory), io);

      expect(builds).toEqual({ count: 1, jobs: ['3'] });
      expect([first.wasThere, second.wasThere]).toEqual([false, true]);
      expect(second.modules.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([
        ['kl_hello', 'module kl_hello'],
        ['kl_base', 'module kl_base'],
      ]);
      expect(second.source).toEqual(first.source);
    });
  });

  it('compiles again with --force, and when an input is another', async () => {
    await withWorld(async ({ io, directory, unit, builds }) => {
      await compileNow(unit, optionsIn(directory), io);

      await compileNow(unit, { ...optionsIn(directory), force: true }, io);
      await compileNow(
        { ...unit, driver: { ...unit.driver, build: { ...RUN, command: 'make all' } } },
        optionsIn(directory),
        io,
      );
      await writeFile(join(directory, 'hello/hello.c'), 'int other;\n');
      await compileNow(unit, optionsIn(directory), io);
      expect(builds.count).toBe(4);

      await compileNow(unit, { ...optionsIn(directory), makeJobs: 1 }, io);
      expect(builds.count).toBe(4);
    });
  });

  it('keeps nothing of a compile that failed, and says what of the machine was in the way', async () => {
    let isFull = true;
    const fail = (): void => {
      if (isFull)
        throw Object.assign(new Error('ENOSPC'), {
          code: 'ENOSPC',
          syscall: 'copyfile',
          path: '/engine/a.ko',
          dest: '/scratch/a.ko',
        });
    };
    await withWorld(async ({ io, directory, unit, builds }) => {
      await expect(compileNow(unit, optionsIn(directory), io)).rejects.toMatchObject({
        name: 'CompileError',
        code: 'WORKSPACE_FAILED',
        message: `Cannot compile hello for ${unit.kernel}: cannot work in /scratch/a.ko: no space is left there`,
        hint: expect.stringContaining('TMPDIR') as string,
      });
      isFull = false;

      expect((await compileNow(unit, optionsIn(directory), io)).wasThere).toBe(false);
      expect(builds.count).toBe(2);
    }, fail);
  });

  it('looks for what was kept before it fetches the source', async () => {
    await withWorld(async ({ io, directory, unit, builds }) => {
      const planned = await plannedNow(unit, optionsIn(directory), io);
      const first = await compileUnit(planned, optionsIn(directory), io);
      await rm(join(directory, 'hello'), { recursive: true });

      const other = { ...planned, driver: { ...planned.driver, name: 'other' } };
      const second = await compileUnit(other, optionsIn(directory), io);

      expect(second).toMatchObject({
        driver: 'other',
        wasThere: true,
        modules: first.modules,
        source: first.source,
      });
      expect(builds.count).toBe(1);
    });
  });

  it('leaves it to the compile to complain about a Containerfile that is not there', async () => {
    await withWorld(async ({ io, directory, unit }) => {
      const build = {
        type: 'containerfile',
        path: 'nowhere',
        stage: undefined,
        args: {},
        secrets: [],
        output: undefined,
      } as const;

      await expect(
        compileNow({ ...unit, driver: { ...unit.driver, build } }, optionsIn(directory), io),
      ).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    });
  });

  it('takes no image that was not there when the source was pinned, whatever its tag stands for now', async () => {
    await withWorld(async ({ io, directory, unit }) => {
      const planned = await plannedNow(unit, optionsIn(directory), io);
      const pattern = parseImagePattern('registry.example.com/vendor/hello:{kernel}');
      const driver = { ...unit.driver, source: { type: 'image', pattern }, build: undefined } as const;
      const source = { type: 'image', images: {} } as const;

      await expect(
        compileUnit({ ...planned, driver, source }, optionsIn(directory), io),
      ).rejects.toMatchObject({
        code: 'SOURCE_UNREADABLE',
        hint: expect.stringContaining('kmodlayer lock') as string,
      });
    });
  });

  it('refuses a source that changed after the plan was made', async () => {
    await withWorld(async ({ io, directory, unit }) => {
      const planned = await plannedNow(unit, optionsIn(directory), io);
      await writeFile(join(directory, 'hello/hello.c'), 'int other;\n');

      await expect(compileUnit(planned, optionsIn(directory), io)).rejects.toMatchObject({
        code: 'SOURCE_UNREADABLE',
        message: expect.stringContaining('it changed while the build ran') as string,
      });
    });
  });
});
