import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeCache } from '../cli/io/cache.ts';
import { type BuildOptions, type BuildResult, runBuild } from '../src/build.ts';
import type { Engine } from '../src/engine/engine.ts';
import { makeSources } from '../src/engine/make-sources.ts';
import type { BuildEvent } from '../src/events.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import { makeTestIo, withTemporaryDirectory } from './support/io.ts';

const QUICKSTART = resolve('fixtures/quickstart');

/** An engine whose compiler copies the modules of the quickstart, and counts. */
function makeEngine(seen: { builds: number }): Engine {
  return {
    ...{ name: 'podman', version: '5.0.0' },
    pull: () => Promise.resolve('image'),
    async build({ outputDirectory, onLine }) {
      seen.builds++;
      onLine('CC [M] kl_hello.o');
      await mkdir(join(outputDirectory, 'modules'), { recursive: true });
      for (const name of ['kl_base.ko', 'kl_hello.ko'])
        await copyFile(join(QUICKSTART, 'modules', name), join(outputDirectory, 'modules', name));
    },
  };
}

function makeSet(directory: string, to: string): DriverSet {
  return parseSpec(
    `
apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets: { releases: ["oci:${QUICKSTART}/release:4.18.4"] }
drivers:
  - name: hello
    version: 1.0.0
    source: { directory: hello }
    build: { run: make }
    modules: [{ name: kl_base }, { name: kl_hello }]
publish: { osImage: "${to}" }
`,
    join(directory, 'kmodlayer.yaml'),
  );
}

interface Ran extends BuildResult {
  readonly events: readonly BuildEvent[];
  /** Builds of the engine so far. */
  readonly builds: number;
}

/** Runs a build as a process of its own would: what is kept is on the disk, and nowhere else. */
async function withRuns(
  use: (
    run: (to: string, options?: Partial<BuildOptions>) => Promise<Ran>,
    directory: string,
  ) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const seen = { builds: 0 };
    await mkdir(join(directory, 'hello'));
    await writeFile(join(directory, 'hello/kl_hello.c'), 'int hello;\n');
    await use(async (to, options = {}) => {
      const io = makeTestIo({
        compiled: makeCache(join(directory, 'compiled'), { maxBytes: 1e9 }),
        engine: () => Promise.resolve(makeEngine(seen)),
        sources: makeSources({ web: makeTestIo().web, directory: join(directory, 'downloads') }),
      });
      const set = makeSet(directory, to);
      const result = await runBuild(set, { toolVersion: '0.0.0-test', ...options }, io);
      return { ...result, events: io.events, builds: seen.builds };
    }, directory);
  });
}

describe('runBuild(), again', () => {
  it('compiles nothing and writes nothing when all is there, and gives the same image', async () => {
    await withRuns(async (run, directory) => {
      const first = await run(`oci:${directory}/out`);
      const second = await run(`oci:${directory}/out`);

      expect(second.builds).toBe(1);
      expect(second.images).toMatchObject([{ digest: first.images[0]!.digest, wasThere: true }]);
      expect(second.compiles.every(({ wasThere }) => wasThere)).toBe(true);
      const ends = second.events.flatMap((event) => (event.type === 'unit-finished' ? [event.outcome] : []));
      expect(new Set(ends)).toEqual(new Set(['kept']));
    });
  });

  it('goes on after what was compiled when an image could not be written', async () => {
    await withRuns(async (run, directory) => {
      const failed = await run('oci:/dev/null/out');
      const mended = await run(`oci:${directory}/out`);
      const undisturbed = await run(`oci:${directory}/other`, { force: true });

      expect(failed).toMatchObject({
        images: [],
        compiles: [{ wasThere: false }],
        failures: [{ kind: 'image' }],
      });
      expect(mended.failures).toEqual([]);
      expect(mended.builds).toBe(1);
      expect(undisturbed.builds).toBe(2);
      expect(undisturbed.images[0]!.digest).toBe(mended.images[0]!.digest);
    });
  });

  it('lets two do the same at the same time', async () => {
    await withRuns(async (run, directory) => {
      const both = await Promise.all([run(`oci:${directory}/out`), run(`oci:${directory}/out`)]);

      expect(both.map(({ failures }) => failures)).toEqual([[], []]);
      expect(both[0].images[0]!.digest).toBe(both[1].images[0]!.digest);
      expect((await run(`oci:${directory}/out`)).images).toMatchObject([{ wasThere: true }]);
    });
  });
});
