import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli-process.ts';
import {
  readWorld,
  startWorldRegistry,
  worldDirectory,
  worldRelease,
  type WorldRegistry,
} from '../support/world.ts';

const run = promisify(execFile);
const world = readWorld();

let registry: WorldRegistry;
let scratch = '';

beforeAll(async () => {
  registry = await startWorldRegistry();
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-diff-'));
});

afterAll(async () => {
  await registry.stop();
  await rm(scratch, { recursive: true, force: true });
});

function diff(...args: readonly string[]) {
  const flags = ['--authfile', registry.authFile, '--ca-file', registry.caFile];
  return runCli(['diff', ...args, ...flags, '--release-repository', world.releaseRepository, '-o', 'json'], {
    env: { XDG_CACHE_HOME: join(scratch, 'cache') },
  });
}

interface Diff {
  readonly isKernelChanged: boolean;
  readonly changes: readonly { readonly field: string; readonly before: string; readonly after: string }[];
  readonly modules: readonly {
    readonly name: string;
    readonly symbols: readonly { readonly symbol: string; readonly change: string }[];
  }[];
}

/** Exported symbols of a kernel with their CRCs, as its headers list them. */
async function symversOf(kernel: string): Promise<ReadonlyMap<string, string>> {
  const headers = join(worldDirectory(), 'kernels', kernel, 'usr/src', `linux-headers-${kernel}`);
  const lines = (await readFile(join(headers, 'Module.symvers'), 'utf8')).trim().split('\n');
  return new Map(lines.map((line) => line.split('\t')).map(([crc = '', symbol = '']) => [symbol, crc]));
}

/** Symbols that a module uses with their CRCs, as kmod lists them. */
async function usedBy(file: string): Promise<readonly (readonly [string, string])[]> {
  const { stdout } = await run('modprobe', ['--dump-modversions', file], { maxBuffer: 64 * 1024 ** 2 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))
    .map(([crc = '', symbol = '']) => [symbol, crc]);
}

describe('diff', () => {
  it('finds nothing to build again between releases that share a kernel', async () => {
    const result = await diff('4.18.4', '4.18.5');

    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    const { isKernelChanged, changes } = JSON.parse(result.stdout) as Diff;
    expect(isKernelChanged).toBe(false);
    expect(changes).toContainEqual({ field: 'release', before: '4.18.4', after: '4.18.5' });
  });

  it('names just the symbols of in-tree modules that kmod and the headers of both kernels tell apart', async () => {
    const [before = '', after = ''] = [worldRelease('4.16.10'), worldRelease('4.18.4')].map(
      ({ streams }) => streams[0]?.kernelRelease ?? '',
    );
    const directory = join(worldDirectory(), 'kernels', before, 'lib/modules', before, 'kernel/drivers/net');
    const names = (await readdir(directory)).filter((name) => name.endsWith('.ko')).slice(0, 8);
    const files = names.map((name) => join(directory, name));
    const [old, now] = await Promise.all([symversOf(before), symversOf(after)]);

    const result = await diff('4.16.10', '4.18.4', ...files.flatMap((file) => ['--module', file]));

    expect(files.length).toBeGreaterThan(3);
    const found = JSON.parse(result.stdout) as Diff;
    expect(found.isKernelChanged).toBe(true);
    for (const [at, file] of files.entries()) {
      const used = await usedBy(file);
      const expected = used.filter(
        ([symbol, crc]) => old.has(symbol) && Number(now.get(symbol)) !== Number(crc),
      );
      expect(new Set(found.modules[at]?.symbols.map(({ symbol }) => symbol))).toEqual(
        new Set(expected.map(([symbol]) => symbol)),
      );
    }
    const isAffected = found.modules.some(({ symbols }) => symbols.length > 0);
    expect(result.exitCode).toBe(isAffected ? 1 : 0);
  });

  it('compares releases on one stream, which both must have', async () => {
    const [release] = world.releases.filter(({ version }) => version === '4.22.1');
    const [first, next] = release?.streams ?? [];
    const same = await diff('4.18.4', '4.22.1', '--stream', 'rhel-9');
    expect(same.exitCode).toBe(
      first?.kernelRelease === worldRelease('4.18.4').streams[0]?.kernelRelease ? 0 : 1,
    );
    const other = await diff('4.18.4', '4.22.1', '--stream', next?.name ?? '');
    expect(other.exitCode).toBe(4);
    expect(other.stderr).toContain(next?.name);
  });

  it('takes the modules of a spec', async () => {
    await writeFile(
      join(scratch, 'kmodlayer.yaml'),
      `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets: { releases: [4.18.4] }
drivers:
  - name: hello
    version: 1.0.0
    source: { files: [${join(process.cwd(), 'fixtures/quickstart/modules/kl_base.ko')}] }
    modules: [{ name: kl_base }]
publish: { osImage: quay.example.com/acme/rhcos }
`,
    );

    const result = await diff('4.16.10', '4.18.4', '-f', join(scratch, 'kmodlayer.yaml'));

    expect((JSON.parse(result.stdout) as Diff).modules.map(({ name }) => name)).toEqual(['kl_base']);
  });
});
