import { execFile } from 'node:child_process';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokenDay, quickstartSpec, startBrokenDay } from '../support/broken-day.ts';
import type { CliOptions, CliResult } from '../support/cli-process.ts';
import { readWorld, startWorldRegistry, type WorldRegistry, worldRelease } from '../support/world.ts';

const run = promisify(execFile);
const { releaseRepository } = readWorld();

let day: BrokenDay;
let registry: WorldRegistry;

beforeAll(async () => {
  day = await startBrokenDay();
  registry = await startWorldRegistry();
});

afterAll(async () => {
  await registry.stop();
  await day.stop();
});

/** Builds with access to the world's registry. */
function build(spec: string, options?: Pick<CliOptions, 'onStderr'>, args: readonly string[] = []) {
  return day.build(
    spec,
    ['--authfile', registry.authFile, '--cert-dir', registry.certDir, ...args],
    options ?? {},
  );
}

/** A spec for a release of the world, with modules that are built already unless there is a driver. */
function worldSpec(name: string, version: string, change: { driver?: object } = {}): Promise<string> {
  return day.writeSpec(
    name,
    quickstartSpec({
      osImage: `${registry.host}/acme/${name}`,
      release: version,
      targets: { releaseRepository },
      ...change,
    }),
  );
}

/** The driver of the fixtures, as it is or changed, from a directory of its own. */
async function helloDriver(name: string, change?: (source: string) => string, command = ''): Promise<object> {
  const directory = join(day.directory, name);
  await cp(resolve('fixtures/drivers/hello'), directory, { recursive: true });
  const file = join(directory, 'kl_base.c');
  if (change !== undefined) await writeFile(file, change(await readFile(file, 'utf8')));
  return {
    name: 'hello',
    version: '1.0.0',
    source: { directory },
    build: { run: `${command}make KERNEL_RELEASE="$KERNEL_RELEASE"` },
    modules: [{ name: 'kl_base' }, { name: 'kl_hello' }],
  };
}

/** Whether anything was written to the registry since it had `before` lines in its log. */
async function writesSince(before: number): Promise<readonly string[]> {
  const lines = (await registry.requests()).slice(before);
  return lines.filter((line) => / "(?:POST|PUT|PATCH|DELETE) /.test(line));
}

async function tagsOf(name: string): Promise<readonly string[]> {
  const { stdout } = await run('skopeo', [
    ...['list-tags', '--authfile', registry.authFile, '--cert-dir', registry.certDir],
    `docker://${registry.host}/acme/${name}`,
  ]).catch((error: unknown) => {
    if (/404 \(Not Found\)/.test(String(error))) return { stdout: '{"Tags":null}' };
    throw error;
  });
  return (JSON.parse(stdout) as { Tags: readonly string[] | null }).Tags ?? [];
}

function expectError({ exitCode, stderr }: CliResult, wanted: number): void {
  expect(exitCode, stderr).toBe(wanted);
  expect(stderr).toMatch(/^error: Cannot /m);
  expect(stderr).toMatch(/^ *hint: /m);
}

describe('build, with bad input', () => {
  it('shows five mistakes of a spec, each with its line and a hint, and ends with 2', async () => {
    const result = await day.build(resolve('fixtures/specs/five-mistakes.yaml'));

    expectError(result, 2);
    const lines = result.stderr.trimEnd().split('\n').slice(1);
    expect(lines).toHaveLength(10);
    for (const [at, line] of lines.entries()) {
      expect(line).toMatch(at % 2 === 0 ? /^ {2}\S+\.yaml:\d+: \S+: \S/ : /^ {4}hint: \S/);
    }
  });

  it('names the registry without a pull secret, says where to get one, and ends with 3', async () => {
    const result = await day.build(await worldSpec('no-secret', '4.18.4'), ['--cert-dir', registry.certDir]);

    expectError(result, 3);
    expect(result.stderr).toContain(`${registry.host} wants a credential and there is none`);
    expect(result.stderr).toMatch(/^hint: .*(?:login|pull secret)/m);
  });

  it('lists the nearest releases for one that is not there, and ends with 4', async () => {
    const result = await build(await worldSpec('unknown', '4.18.9'));

    expectError(result, 4);
    expect(result.stderr).toMatch(/^hint: The nearest releases there are 4\.18\.6, 4\.18\.5, 4\.18\.4/m);
  });

  it('shows both kernels when those of driver-toolkit and OS image differ, and ends with 4', async () => {
    const [stream] = worldRelease('4.18.6').streams;

    const result = await build(await worldSpec('mismatch', '4.18.6'));

    expectError(result, 4);
    expect(stream!.kernelRelease).not.toBe(stream!.driverToolkitKernelRelease);
    expect(result.stderr).toContain(`kernel ${stream!.kernelRelease}`);
    expect(result.stderr).toContain(`driver-toolkit ${stream!.driverToolkitKernelRelease}`);
  });

  it('refuses a module for another kernel before anything is written, and ends with 6', async () => {
    const before = (await registry.requests()).length;

    const result = await build(await worldSpec('other-kernel', '4.16.10'));

    expectError(result, 6);
    expect(result.stderr).toContain(worldRelease('4.16.10').streams[0]!.kernelRelease);
    expect(result.stderr).toContain('6.1.0-56-amd64');
    expect((await registry.requests()).length).toBeGreaterThan(before);
    expect(await writesSince(before)).toEqual([]);
    expect(await tagsOf('other-kernel')).toEqual([]);
  });

  it('refuses a certificate that belongs to another key, and ends with 7', async () => {
    const files = ['-keyout', join(day.directory, 'other.key'), '-out', join(day.directory, 'other.pem')];
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=other', ...files]);
    const spec = quickstartSpec({
      osImage: 'oci:signed',
      sign: { key: `file:${resolve('fixtures/quickstart/keys/TEST-ONLY.key')}`, certificate: 'other.pem' },
    });

    const result = await day.build(await day.writeSpec('wrong-pair', spec));

    expectError(result, 7);
    await expect(stat(join(day.directory, 'signed'))).rejects.toThrow('ENOENT');
  });
});

describe('build, when the compile goes wrong', () => {
  it('shows the end of the log and where all of it is, and ends with 5', async () => {
    const driver = await helloDriver('syntax', (source) => `${source}\nint this is no C;\n`);
    const before = (await registry.requests()).length;

    const result = await build(await worldSpec('syntax', '4.18.4', { driver }));

    expect(result.exitCode, result.stderr).toBe(5);
    const tail = result.stderr.split('\n').filter((line) => line.startsWith('  | '));
    expect(tail.length).toBeLessThanOrEqual(40);
    expect(tail.join('\n')).toMatch(/kl_base\.c:\d+:\d+: error: /);
    expect(result.stderr).toMatch(/^error: Cannot .*hello/m);
    const [, log = ''] = /^log: (.*)$/m.exec(result.stderr) ?? [];
    expect(log.startsWith(join(day.directory, 'state'))).toBe(true);
    expect(await readFile(log, 'utf8')).toMatch(/kl_base\.c:\d+:\d+: error: /);
    expect(await writesSince(before)).toEqual([]);
    expect(await tagsOf('syntax')).toEqual([]);
    expect(await day.leftovers()).toEqual([]);
  });

  it('stops on ^C while it compiles, with 130 and nothing left; then the same command succeeds', async () => {
    const driver = await helloDriver('stopped', undefined, 'echo it runs; [ ! -e slow ] || sleep 98765; ');
    const slow = join(day.directory, 'stopped/slow');
    await writeFile(slow, '');
    const spec = await worldSpec('stopped', '4.18.4', { driver });
    const before = (await registry.requests()).length;
    let isAsked = false;

    const stopped = await build(
      spec,
      {
        onStderr: (text, kill) => {
          if (isAsked || !/\| it runs$/m.test(text)) return;
          isAsked = true;
          kill('SIGINT');
        },
      },
      ['--verbose'],
    );
    const [writes, tags, leftovers] = [
      await writesSince(before),
      await tagsOf('stopped'),
      await day.leftovers(),
    ];
    const { stdout: processes } = await run('ps', ['-eo', 'args']);
    await run('rm', [slow]);
    const again = await build(spec);

    expect(isAsked).toBe(true);
    expect(stopped.exitCode, stopped.stderr).toBe(130);
    expect({ writes, tags, leftovers }).toEqual({ writes: [], tags: [], leftovers: [] });
    expect(processes).not.toContain('sleep 98765');
    expect(again.exitCode, again.stderr).toBe(0);
    expect(await tagsOf('stopped')).toHaveLength(1);
    expect(await day.leftovers()).toEqual([]);
  });

  it('keeps secrets out of all that the runs above printed, and out of their logs', async () => {
    const key = (await readFile(resolve('fixtures/quickstart/keys/TEST-ONLY.key'), 'utf8')).split('\n');
    const auth = Buffer.from(registry.credentials).toString('base64');
    const password = registry.credentials.slice(registry.credentials.indexOf(':') + 1);
    const secrets = [password, auth, ...key.filter((line) => line.length > 40)];

    const told = await day.told();

    expect(told).toMatch(/kl_base\.c:\d+:\d+: error: /);
    expect(secrets.length).toBeGreaterThan(7);
    expect(secrets.filter((secret) => told.includes(secret))).toEqual([]);
  });
});
