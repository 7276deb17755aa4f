import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/compile.ts';
import { RUN } from '../compile/requests.ts';
import { runCli } from '../support/cli-process.ts';
import { makeCompileIo } from '../support/compile-io.ts';
import {
  COMMAND,
  requestFor,
  startCompileWorld,
  streamOf,
  type CompileWorld,
} from '../support/compile-world.ts';
import { judgeWithDepmod, unpackImage } from '../support/merged-root.ts';

/** An OS image of chunks alone, and one with node layers on top of them. */
const RELEASES = [
  { version: '4.18.4', stream: 'rhel-9' },
  { version: '4.22.1', stream: 'rhel-10' },
] as const;
const IN_TREE = 'kernel/drivers/net/dummy.ko.xz';

let world: CompileWorld;

beforeAll(async () => {
  world = await startCompileWorld();
});

afterAll(async () => {
  await world.stop();
});

describe('kmodlayer depmod --base IMAGE', () => {
  it.each(RELEASES)('writes what depmod would, for a base in a registry: %j', async ({ version, stream }) => {
    const { authFile, caFile, certDir } = world.registry;
    const target = streamOf(version, stream);
    const { osImage: base, kernelRelease: kernel } = target;
    const request = requestFor(world.directory, { ...RUN, command: COMMAND }, {}, { stream: target });
    const { modules } = await compile(request, makeCompileIo(world.engine));
    const root = join(world.directory, `merged-${version}`);
    await unpackImage({ image: `docker://${base}`, to: root, certDir, authFile });
    const tree = join(root, 'usr/lib/modules', kernel);
    const out = join(world.directory, `indexes-${version}`);
    // One that is new and exports, one that needs it, one that takes the place of a module of the base.
    const added = new Map<string, Uint8Array>([
      ...modules.map(({ fileName, bytes }) => [`extra/hello/${fileName}`, bytes] as const),
      ['updates/dummy.ko.xz', readFileSync(join(tree, IN_TREE))],
    ]);
    for (const [path, bytes] of added) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), bytes);
    }

    const { exitCode, stdout, stderr } = await runCli(
      [
        ...['depmod', '--base', base, '--kernel', kernel, '--out', out, '-o', 'json'],
        ...[...added.keys()].flatMap((path) => ['--add', `${join(tree, path)}:${path}`]),
        ...['--authfile', authFile, '--ca-file', caFile],
      ],
      { env: { XDG_CACHE_HOME: join(world.directory, 'cache') } },
    );

    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'kmodlayer/depmod/v1',
      overridden: [{ name: 'dummy', winner: 'updates/dummy.ko.xz', loser: IN_TREE }],
      shadowed: [],
      excluded: [],
    });
    // Only what changes is written.
    const written = readdirSync(out);
    for (const name of written)
      expect(readFileSync(join(out, name)).equals(readFileSync(join(tree, name))), name).toBe(false);
    cpSync(out, tree, { recursive: true });
    expect(readFileSync(join(tree, 'modules.dep'), 'latin1')).toContain(
      'extra/hello/kl_hello.ko: extra/hello/kl_base.ko\n',
    );
    const { changed, compared } = await judgeWithDepmod(root, kernel);
    expect(changed).toEqual([]);
    expect(compared).toEqual(expect.arrayContaining(written));
  });
});
