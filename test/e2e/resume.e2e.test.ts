import { execFile, execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliResult, runCli } from '../support/cli-process.ts';
import { startWorldRegistry, type WorldRegistry } from '../support/world.ts';

const run = promisify(execFile);
const HELLO = resolve('fixtures/drivers/hello');
/** Three images, two kernels. */
const RELEASES = ['4.18.4', '4.18.5', '4.16.10'];

let registry: WorldRegistry;
let scratch: string;
/** Holds podman's storage, which cannot be on an overlay. */
let storage: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-resume-'));
  storage = await mkdtemp('/var/tmp/kmodlayer-resume-');
  registry = await startWorldRegistry();
});

afterAll(async () => {
  await registry.stop();
  // A podman whose parent was killed leaves its mounts behind.
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${storage}/`) || path.startsWith(`${scratch}/`));
  for (const mount of mounts.reverse()) execFileSync('umount', ['--lazy', mount]);
  for (const path of [scratch, storage]) await rm(path, { recursive: true, force: true, maxRetries: 5 });
});

interface Driver {
  readonly name: string;
  readonly directory: string;
  readonly modules: readonly string[];
}

const DRIVER: Driver = { name: 'hello', directory: HELLO, modules: ['kl_base', 'kl_hello'] };

/** A spec whose images go to a repository of their own. */
async function writeSpec(
  repository: string,
  drivers: readonly Driver[],
  releases = RELEASES,
): Promise<string> {
  const file = join(scratch, `${repository}.yaml`);
  const { host } = registry;
  const spec = {
    apiVersion: 'kmodlayer/v1',
    kind: 'DriverSet',
    metadata: { name: 'hello' },
    targets: { releases, releaseRepository: `${host}/openshift-release-dev/ocp-release` },
    drivers: drivers.map(({ name, directory, modules }) => ({
      name,
      version: '1.0.0',
      source: { directory },
      build: { run: 'make KERNEL_RELEASE="$KERNEL_RELEASE"' },
      modules: modules.map((module) => ({ name: module })),
    })),
    publish: { osImage: `${host}/acme/${repository}` },
  };
  await writeFile(file, JSON.stringify(spec));
  return file;
}

interface RunOptions {
  /** Name of the directory with cache and state: runs with the same one know of each other. */
  readonly home: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** SIGKILL as soon as this was printed. */
  readonly killAt?: RegExp;
}

function build(spec: string, { home, args = [], env = {}, killAt }: RunOptions): Promise<CliResult> {
  const access = ['--authfile', registry.authFile, '--ca-file', registry.caFile];
  return runCli(['build', '-f', spec, '--jobs', '1', '-o', 'json', ...access, ...args], {
    env: {
      XDG_CACHE_HOME: join(scratch, home, 'cache'),
      XDG_STATE_HOME: join(scratch, home, 'state'),
      KMODLAYER_ENGINE_ARGS: `--root ${storage}/root --runroot ${storage}/run`,
      KMODLAYER_BUILD_ARGS: '--isolation chroot --network host',
      ...env,
    },
    onStderr: (text, kill) => {
      if (killAt?.test(text) === true) kill('SIGKILL');
    },
  });
}

interface Result {
  readonly images: readonly { readonly id: string; readonly digest: string; readonly tag: string }[];
  readonly compiles: readonly {
    readonly id: string;
    readonly wasThere: boolean;
    readonly logFile: string | null;
  }[];
  readonly failures: readonly {
    readonly what: string;
    readonly code: string | null;
    readonly logFile: string | null;
  }[];
}

const resultOf = ({ stdout }: CliResult): Result => JSON.parse(stdout) as Result;

const digestsOf = (result: CliResult): readonly string[] =>
  resultOf(result).images.map(({ id, tag, digest }) => `${id} ${tag} ${digest}`);

/** Blobs whose upload came to its end in a repository, as the registry's own log has it. */
async function uploadsTo(repository: string): Promise<readonly string[]> {
  const lines = await registry.requests();
  return lines.flatMap((line) => {
    const [, digest] =
      new RegExp(
        `"PUT /v2/acme/${repository}/blobs/uploads/\\S*digest=(sha256(?::|%3A)[0-9a-f]{64})\\S* HTTP/[0-9.]+" 201`,
      ).exec(line) ?? [];
    return digest === undefined ? [] : [digest];
  });
}

describe('build that is killed', () => {
  let undisturbed: CliResult;

  it('gives images and logs of its compiles when nobody disturbs it', async () => {
    undisturbed = await build(await writeSpec('undisturbed', [DRIVER]), { home: 'undisturbed' });

    expect(undisturbed.exitCode, undisturbed.stderr).toBe(0);
    const { images, compiles } = resultOf(undisturbed);
    expect([images.length, compiles.length]).toEqual([3, 2]);
    for (const { logFile } of compiles) expect(await readFile(logFile!, 'utf8')).toContain('kl_hello');
  });

  it('goes on where it was, whenever that was, and ends in the same digests', async () => {
    const spec = await writeSpec('disturbed', [DRIVER]);
    const home = 'disturbed';
    const verbose = ['--verbose'];

    const killed = [
      await build(spec, { home, args: verbose, killAt: /hello for \S+ \| .*kl_hello/ }),
      await build(spec, { home, killAt: /hello for \S+: compile \(/ }),
      await build(spec, { home, args: verbose, killAt: /rhel-9: push \(started\)/ }),
      await build(spec, { home, killAt: /rhel-9: push \(\d/ }),
    ];
    const last = await build(spec, { home, args: ['--events', join(scratch, 'events.ndjson')] });
    const again = await build(spec, { home });

    expect(killed.map(({ signal }) => signal)).toEqual(killed.map(() => 'SIGKILL'));
    expect(last.exitCode, last.stderr).toBe(0);
    expect(digestsOf(last)).toEqual(digestsOf(undisturbed));
    expect(digestsOf(again)).toEqual(digestsOf(last));
    // The first kernel was compiled once to its end, in the second run; nothing after it did so again.
    const texts = [...killed, last, again].map(({ stderr }) => stderr);
    const compiled = texts.flatMap((text) => text.match(/^hello for \S+: compile \(\d.*$/gm) ?? []);
    expect(compiled).toHaveLength(2);
    expect(resultOf(again).compiles.every(({ wasThere }) => wasThere)).toBe(true);
    const uploads = await uploadsTo('disturbed');
    expect(uploads.length).toBeGreaterThan(0);
    expect(new Set(uploads).size).toBe(uploads.length);
    const events = (await readFile(join(scratch, 'events.ndjson'), 'utf8')).trimEnd().split('\n');
    const types = events.map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types).toContain('build-planned');
    expect(types.at(-1)).toBe('build-finished');
  });
});

describe('two builds at once', () => {
  it('both end in the same images', async () => {
    const spec = await writeSpec('both', [DRIVER], ['4.18.4', '4.18.5']);

    const both = await Promise.all([build(spec, { home: 'both' }), build(spec, { home: 'both' })]);

    for (const result of both) expect(result.exitCode, result.stderr).toBe(0);
    expect(digestsOf(both[0])).toEqual(digestsOf(both[1]));
    const after = await build(spec, { home: 'both' });
    expect(digestsOf(after)).toEqual(digestsOf(both[0]));
    expect(resultOf(after).compiles.every(({ wasThere }) => wasThere)).toBe(true);
  });
});

describe('a disk that is full while it compiles', () => {
  it('costs the driver that did not fit, and no other', async () => {
    const directory = join(scratch, 'big');
    await cp(HELLO, directory, { recursive: true });
    await writeFile(join(directory, 'Kbuild'), 'obj-m := kl_big.o\n');
    await writeFile(
      join(directory, 'kl_big.c'),
      '#include <linux/module.h>\nchar kl_big_pad[16 << 20] = { 1 };\nMODULE_LICENSE("GPL");\n',
    );
    const small = join(scratch, 'small');
    await mkdir(small);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small]);
    const big = { name: 'big', directory, modules: ['kl_big'] };
    const spec = await writeSpec('full', [big, DRIVER], ['4.18.4']);

    const full = await build(spec, { home: 'full', args: ['--keep-going'], env: { TMPDIR: small } });
    const mended = await build(spec, { home: 'full' });

    expect(full.exitCode, full.stderr).toBe(5);
    expect(full.stderr).toContain(`cannot work in ${small}/`);
    expect(full.stderr).toContain('no space is left there');
    expect(full.stderr).toContain('TMPDIR');
    expect(resultOf(full)).toMatchObject({
      images: [],
      compiles: [{ id: expect.stringMatching(/^hello for /) as string }],
      failures: [
        { what: expect.stringMatching(/^big for /) as string, code: 'WORKSPACE_FAILED' },
        { what: '4.18.4 x86_64 rhel-9', code: 'DEPENDENCY_FAILED' },
      ],
    });
    expect(mended.exitCode, mended.stderr).toBe(0);
    expect(resultOf(mended).compiles.find(({ id }) => id.startsWith('hello'))?.wasThere).toBe(true);
  });
});
