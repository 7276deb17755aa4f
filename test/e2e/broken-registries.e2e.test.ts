import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type BrokenDay,
  QUICKSTART,
  quickstartSpec,
  serveQuickstart,
  startBrokenDay,
  until,
} from '../support/broken-day.ts';
import { startDebianRegistry } from '../support/debian-registry.ts';
import { type FaultAction, TestRegistry } from '../support/test-registry.ts';

const run = promisify(execFile);
const ROBOT = { user: 'robot', password: 'pass-of-the-robot' } as const;
const AUTH = Buffer.from(`${ROBOT.user}:${ROBOT.password}`).toString('base64');

let day: BrokenDay;
let target: TestRegistry;

beforeAll(async () => {
  day = await startBrokenDay();
});

afterAll(async () => {
  await day.stop();
});

beforeEach(async () => {
  await day.forget();
  target = await new TestRegistry({ auth: { kind: 'bearer', ...ROBOT } }).listen();
  const auths = { [target.host]: { auth: AUTH } };
  await writeFile(join(day.directory, 'auth.json'), JSON.stringify({ auths }));
});

afterEach(async () => {
  await target.close();
});

const tags = (): readonly string[] => [...target.repository('acme/rhcos').tags.keys()];

/** Flags with which a command reaches the target and other registries of this process. */
function flags(...others: readonly TestRegistry[]): readonly string[] {
  const insecure = [target, ...others].flatMap(({ host }) => ['--insecure-registry', host]);
  return ['--authfile', 'auth.json', ...insecure];
}

/** A base in a registry of its own, so that its layers have to be copied to the target. */
async function startBase() {
  const base = await new TestRegistry().listen();
  const { release, mirrors, layers } = await serveQuickstart(base);
  await writeFile(join(day.directory, 'idms.yaml'), JSON.stringify(mirrors));
  const args = [...flags(base), '--idms', 'idms.yaml'];
  const spec = (osImage = `${target.host}/acme/rhcos`): Promise<string> =>
    day.writeSpec('copied', quickstartSpec({ osImage, release }));
  return { base, args, spec, layers };
}

describe('build, when the registry to push to has a bad day', () => {
  const pushSpec = (): Promise<string> =>
    day.writeSpec('push', quickstartSpec({ osImage: `${target.host}/acme/rhcos` }));

  it.each<readonly [string, FaultAction]>([
    ['answers 429', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
    ['answers 500', { kind: 'status', status: 500 }],
    ['answers 503', { kind: 'status', status: 503 }],
    ['closes connections', { kind: 'reset', afterBytes: 0 }],
    ['loses its answers', { kind: 'lose-answer' }],
  ])('goes on after one that %s', async (_, action) => {
    for (const path of [/\/blobs\/uploads\//, /\/manifests\//]) target.fail({ path, times: 1, action });

    const { exitCode, stderr } = await day.build(await pushSpec(), flags());

    expect(exitCode, stderr).toBe(0);
    expect(tags()).toHaveLength(1);
    expect(target.openUploads).toBeLessThanOrEqual(1);
  });

  it('ends with 8 and no tag when it stays broken; the same command succeeds later', async () => {
    const spec = await pushSpec();
    target.fail({ method: 'PUT', path: /\/manifests\//, action: { kind: 'status', status: 503 } });

    const broken = await day.build(spec, flags());
    const before = tags();
    target.clearFaults();
    const later = await day.build(spec, flags());

    expect(broken.exitCode).toBe(8);
    expect(broken.stderr).toMatch(/^error: Cannot write manifest .*503/m);
    expect(broken.stderr).toMatch(/^hint: /m);
    expect(before).toEqual([]);
    expect(later.exitCode, later.stderr).toBe(0);
    expect(tags()).toHaveLength(1);
    expect(await day.leftovers()).toEqual([]);
  });

  it('ends with 3 when the password is wrong, without saying it', async () => {
    const auth = Buffer.from('robot:not-the-password').toString('base64');
    await writeFile(join(day.directory, 'auth.json'), JSON.stringify({ auths: { [target.host]: { auth } } }));

    const { exitCode, stdout, stderr } = await day.build(await pushSpec(), flags());

    expect(exitCode, stderr).toBe(3);
    expect(stderr).toContain(target.host);
    expect(stdout + stderr).not.toMatch(new RegExp(`not-the-password|${auth}`));
    expect(tags()).toEqual([]);
  });

  it('stops on ^C during the push with 130, no tag and no temporary files; then the same command succeeds', async () => {
    const spec = await pushSpec();
    const isPushing = (): boolean => target.count('PATCH', /uploads/) + target.count('PUT', /uploads/) > 0;
    target.fail({ method: 'PUT', action: { kind: 'delay', ms: 5_000 } });
    target.fail({ method: 'PATCH', action: { kind: 'delay', ms: 5_000 } });
    let isAsked = false;

    const stopped = await day.build(spec, flags(), {
      onStderr: (text, kill) => {
        if (isAsked || !text.includes(': layer (')) return;
        isAsked = true;
        void until(isPushing).then(() => {
          kill('SIGINT');
        });
      },
    });
    const before = tags();
    target.clearFaults();
    const again = await day.build(spec, flags());

    expect(stopped.exitCode, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain('Stopped. The same command goes on where it was.');
    expect(before).toEqual([]);
    expect(await day.leftovers()).toEqual([]);
    expect(again.exitCode, again.stderr).toBe(0);
    expect(tags()).toHaveLength(1);
  });

  it('ends with 8 and no tag when it is killed in the middle; started again, the same command succeeds', async () => {
    const registry = await startDebianRegistry({ isSecured: true });
    const { base, args, spec, layers } = await startBase();
    try {
      const image = `${registry.host}/acme/rhcos`;
      const file = await spec(image);
      const access = [...args, '--authfile', registry.authFile!, '--ca-file', registry.caFile!];
      const inspect = async (tag: string): Promise<{ Layers: string[]; Digest: string }> => {
        const { stdout } = await run('skopeo', [
          ...['inspect', '--authfile', registry.authFile!, '--tls-verify=false'],
          `docker://${image}${tag}`,
        ]);
        return JSON.parse(stdout) as { Layers: string[]; Digest: string };
      };
      // The largest layer is still on its way when the others are there.
      base.fail({ path: new RegExp(layers[0]!), action: { kind: 'delay', ms: 1_000 } });
      let killed: Promise<void> | undefined;

      const broken = await day.build(file, access, {
        onStderr: (text) => {
          if (text.includes('layers of the base to')) killed ??= registry.kill();
        },
      });
      await killed;
      await registry.restart();
      const tag = `:${/manifest (4\.18\.4-\S+) /.exec(broken.stderr)?.[1] ?? '4.18.4-none'}`;
      const nothing = await inspect(tag).catch((error: unknown) => String(error));
      const listed = await run('skopeo', [
        ...['list-tags', '--authfile', registry.authFile!, '--tls-verify=false', `docker://${image}`],
      ]).then(
        ({ stdout }) => (JSON.parse(stdout) as { Tags: string[] | null }).Tags ?? [],
        (error: unknown) => {
          if (!String(error).includes('404 (Not Found)')) throw error;
          return [];
        },
      );
      const again = await day.build(file, [...access, '-o', 'json']);

      expect(killed).toBeDefined();
      expect(broken.exitCode, broken.stderr).toBe(8);
      expect(broken.stderr).toMatch(/^error: Cannot .*: /m);
      expect(nothing).toEqual(expect.stringMatching(/manifest unknown|name unknown/));
      expect(listed).toEqual([]);
      expect(await day.leftovers()).toEqual([]);
      expect(again.exitCode, again.stderr).toBe(0);
      const [built] = (JSON.parse(again.stdout) as { images: { tag: string; digest: string }[] }).images;
      expect(await inspect(`:${built!.tag}`)).toMatchObject({
        Digest: built!.digest,
        Layers: expect.arrayContaining([layers[0]]) as unknown,
      });
    } finally {
      await base.close();
      await registry.close();
    }
  });
});

describe('build, when the registry of the base has a bad day', () => {
  let world: Awaited<ReturnType<typeof startBase>>;

  beforeEach(async () => {
    world = await startBase();
  });

  afterEach(async () => {
    await world.base.close();
  });

  it('resumes a layer that breaks off', async () => {
    world.base.fail({
      path: new RegExp(world.layers[0]!),
      times: 2,
      action: { kind: 'truncate', afterBytes: 100_000 },
    });

    const { exitCode, stderr } = await day.build(await world.spec(), world.args);

    expect(exitCode, stderr).toBe(0);
    expect(tags()).toHaveLength(1);
  });

  it.each<readonly [string, RegExp | undefined, FaultAction]>([
    ['a layer that always breaks off', undefined, { kind: 'truncate', afterBytes: 1_000 }],
    ['a layer with other bytes than its digest', undefined, { kind: 'corrupt' }],
    ['a manifest with other bytes than its digest', /\/manifests\/sha256:/, { kind: 'corrupt' }],
  ])('ends with 8 and no tag on %s', async (_, path, action) => {
    world.base.fail({ path: path ?? new RegExp(world.layers[0]!), action });

    const { exitCode, stderr } = await day.build(await world.spec(), world.args);

    expect(exitCode, stderr).toBe(8);
    expect(stderr).toMatch(/^error: Cannot .*: /m);
    expect(stderr).not.toContain('bug in kmodlayer');
    expect(tags()).toEqual([]);
    expect(await day.leftovers()).toEqual([]);
  });

  it.each<readonly [string, FaultAction]>([
    ['breaks off', { kind: 'truncate', afterBytes: 1_000 }],
    ['has other bytes than its digest', { kind: 'corrupt' }],
  ])('ends with 8 and no tag when a layer %s while it is copied', async (_, action) => {
    const spec = await world.spec();
    await day.build(await day.writeSpec('other', await elsewhere(spec)), world.args);
    world.base.fail({ path: new RegExp(world.layers[0]!), action });

    const { exitCode, stderr } = await day.build(spec, world.args);

    expect(exitCode, stderr).toBe(8);
    expect(stderr).toContain('layers of the base to');
    expect(stderr).toMatch(/^error: Cannot .*: /m);
    expect(tags()).toEqual([]);
    expect(await day.leftovers()).toEqual([]);
  });

  /** The same set, published to a layout: a run that leaves everything it learnt of the base in the cache. */
  async function elsewhere(spec: string): Promise<object> {
    const read = JSON.parse(await readFile(join(day.directory, spec), 'utf8')) as object;
    return { ...read, publish: { osImage: 'oci:elsewhere' } };
  }
});

describe('build, with secrets', () => {
  it('keeps them out of all that the runs above printed, and out of the image', async () => {
    const spec = await day.writeSpec('push', quickstartSpec({ osImage: `${target.host}/acme/rhcos` }));
    const key = (await readFile(join(QUICKSTART, 'keys/TEST-ONLY.key'), 'utf8')).split('\n');
    const keyLines = key.filter((line) => line.length > 40);
    const secrets = [ROBOT.password, AUTH, 'secret:with:colons', ...keyLines];

    const { exitCode } = await day.build(spec, [...flags(), '--verbose']);
    const { blobs, manifests } = target.repository('acme/rhcos');
    const stored = [...blobs.values(), ...[...manifests.values()].map(({ bytes }) => bytes)].map((bytes) =>
      (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString('latin1'),
    );

    expect(exitCode).toBe(0);
    expect(keyLines.length).toBeGreaterThan(5);
    expect(stored.length).toBeGreaterThan(3);
    const told = [await day.told(), ...stored];
    expect(secrets.filter((secret) => told.some((text) => text.includes(secret)))).toEqual([]);
  });
});
