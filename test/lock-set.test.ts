import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ResolveError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { checkLock, makeLock, requireSources, updateLock } from '../src/lock-set.ts';
import type { Lock } from '../src/plan/lock.ts';
import { formatLock } from '../src/plan/lockfile.ts';
import { parseLock } from '../src/plan/read-lock.ts';
import { formatReference, parseReference } from '../src/oci/reference.ts';
import { digestOf } from '../src/oci/digest.ts';
import { parseReleaseRange } from '../src/spec/release-range.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import { makeTestIo } from './support/io.ts';
import { addReleases, graphOf, type MadeRelease } from './support/many-releases.ts';
import { addImage } from './support/synthetic-image.ts';
import { addRelease, setUpResolve } from './support/synthetic-release.ts';
import { serveFiles } from './support/web-server.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const RISK = {
  name: 'NicStops',
  url: 'https://issues.example.com/NIC-1',
  message: 'NICs of one vendor stop',
};

let world: ReturnType<typeof setUpResolve>;
let releases: readonly MadeRelease[];
/** What the update service answers, by channel. */
let channels: Record<string, string>;
/** What branches and directories hold. */
let sources: { commit: string; tree: string };

/** Made once: each test gets what it holds. */
const made = setUpResolve();

beforeAll(async () => {
  releases = await addReleases(made, 25);
}, 120_000);

beforeEach(() => {
  world = setUpResolve();
  for (const place of ['releases', 'components'] as const) {
    for (const part of ['blobs', 'manifests', 'tags'] as const) {
      const to = world[place][part] as Map<unknown, unknown>;
      for (const [key, value] of made[place][part]) to.set(key, value);
    }
  }
  channels = {
    'stable-4.16': graphOf(releases.slice(0, 20)),
    'stable-4.17': graphOf(releases.slice(20, 24)),
  };
  sources = { commit: COMMIT, tree: 'one' };
});

async function setUp(targets: string, source?: string) {
  const server = await serveFiles({
    '/api/upgrades_info/v1/graph': (request, response) => {
      const channel = new URL(request.url ?? '', 'http://localhost').searchParams.get('channel') ?? '';
      response.writeHead(channels[channel] === undefined ? 404 : 200).end(channels[channel]);
    },
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const set = setOf(targets, server.url, source);
  const io = makeTestIo({
    images: world.images,
    cache: world.cache,
    sources: {
      ...makeTestIo().sources,
      resolveGit: async () => sources.commit,
      checkOutGit: () => Promise.reject(new Error('nothing is checked out')),
      digestDirectory: async () => digestOf(Buffer.from(sources.tree)),
    },
  });
  return { set, io, server };
}

const GIT = '{ git: { url: https://git.example.com/ice.git, ref: main } }';

function setOf(targets: string, graph: string, source = GIT): DriverSet {
  return parseSpec(
    `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: nic }
targets:
  graph: ${graph}
  ${targets}
drivers:
  - name: ice
    version: 1.0.0
    source: ${source}
    modules: [{ name: ice }]
  - name: own
    version: 1.0.0
    source: { directory: ./src }
    modules: [{ name: own }]
publish: { osImage: quay.example.com/acme/os }
`,
    '/specs/kmodlayer.yaml',
  );
}

const PLACE = { file: 'kmodlayer.lock.yaml', directory: '/specs' };

describe('makeLock()', () => {
  it('holds all releases of a range with what they are made of, and is read back as it was written', async () => {
    const { set, io } = await setUp("releases: ['>=4.16.18 <4.18']");
    const lock = await makeLock(set, io);

    const text = formatLock(lock, PLACE.directory);

    expect(lock.targets.map(({ release }) => release.version)).toEqual([
      ...['4.16.18', '4.16.19', '4.17.0', '4.17.1', '4.17.2', '4.17.3'],
    ]);
    expect(lock.targets.map(({ osImage }) => osImage.kernel)).toEqual(
      releases.slice(18, 24).map(({ kernel }) => kernel),
    );
    expect(lock.pins['ice']).toMatchObject({ type: 'git', ref: 'main', commit: COMMIT });
    expect(parseLock(text, PLACE)).toEqual(lock);
    expect(formatLock(parseLock(text, PLACE), PLACE.directory)).toBe(text);
  });

  it('heeds what is excluded and ceilings, says why, and shows the risks of an update', async () => {
    channels['stable-4.17'] = graphOf(releases.slice(20, 24), [
      { edges: [{ from: '4.16.19', to: '4.17.1' }], risks: [RISK] },
    ]);
    const kernel = releases[20]?.kernel ?? '';
    const { set, io } = await setUp(`releases: ['4.17.x', 4.16.3]
  exclude: [{ release: 4.16.3, because: broken }, { kernel: '${kernel.slice(0, -8)}*', because: CRCs moved }]
  ceiling: [{ minor: '4.17', release: 4.17.2, because: not ported }]`);

    const lock = await makeLock(set, io);

    expect(lock.targets.map(({ release }) => release.version)).toEqual(['4.17.2']);
    expect(lock.excluded).toEqual([
      { version: '4.16.3', because: 'broken' },
      { version: '4.17.0', because: 'CRCs moved' },
      { version: '4.17.1', because: 'CRCs moved' },
      { version: '4.17.3', because: 'after 4.17.2: not ported' },
    ]);
    expect(parseLock(formatLock(lock, '/specs'), PLACE)).toEqual(lock);
  });

  it('does not ask the update service when releases are listed', async () => {
    const { set, io, server } = await setUp('releases: [4.16.3, 4.16.2]');

    const { targets } = await makeLock(set, io);

    expect(targets.map(({ release }) => release.version)).toEqual(['4.16.2', '4.16.3']);
    expect(server.requests).toEqual([]);
  });

  it('says what every release that cannot be resolved has wrong', async () => {
    const { set, io } = await setUp('releases: [4.16.3, 4.16.98, 4.16.99]');

    await expect(makeLock(set, io)).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' });
    expect(io.events.filter(({ type }) => type === 'warning')).toHaveLength(1);
  });
});

describe('checkLock()', () => {
  it('finds nothing when nothing has moved, and reads nothing anew', async () => {
    const { set, io } = await setUp("releases: ['>=4.16.18 <4.18', 4.16.2]");
    const lock = await makeLock(set, io);
    world.images.served.length = 0;

    expect(await checkLock(set, lock, io)).toEqual([]);
    const calls = world.images.served.map(({ call }) => call);
    expect(calls.filter((call) => call === 'readBlob')).toEqual([]);
    expect(calls.filter((call) => call === 'getManifest')).toHaveLength(1);
  });

  it('says which releases, tags, branches and directories have moved, and which images are gone', async () => {
    const { set, io } = await setUp("releases: ['4.17.x', 4.16.2]");
    const lock = await makeLock(set, io);
    const gone = lock.targets[0]!.driverToolkit.location;
    channels['stable-4.17'] = graphOf(releases.slice(21, 25), [
      { edges: [{ from: '4.16.19', to: '4.17.2' }], risks: [RISK] },
    ]);
    const moved = await addRelease(world, { version: '4.16.2', machineOs: '418.94.202601010000-0' });
    sources = { commit: COMMIT.replaceAll('0', 'f'), tree: 'two' };
    world.components.manifests.delete(gone.digest!);

    const changes = await checkLock(set, lock, io);

    expect(changes.map(({ kind, what }) => `${kind} ${what}`)).toEqual([
      'release-moved 4.16.2 x86_64 rhel-9',
      'risks-changed 4.17.2 x86_64 rhel-9',
      'release-added 4.17.4 x86_64 rhel-9',
      'release-removed 4.17.0 x86_64 rhel-9',
      'source-moved ice',
      'source-moved own',
      `image-gone ${formatReference(gone)}`,
    ]);
    expect(changes[0]?.now).toContain(moved.release);
    expect(changes[4]?.now).toBe(`main at ${sources.commit}`);
  });

  it('does not take a release whose signature does not hold for one that is gone', async () => {
    const { set, io } = await setUp("releases: ['4.17.x']");
    const lock = await makeLock(set, io);
    const error = new ResolveError('SIGNATURE_INVALID', 'Cannot trust release 4.17.1');
    const bad = lock.targets[1]!.release.digest;
    const releaseTrust: Io['releaseTrust'] = {
      verify: ({ digest }) => (digest === bad ? Promise.reject(error) : Promise.resolve(undefined)),
    };

    await expect(checkLock(set, lock, { ...io, releaseTrust })).rejects.toBe(error);
  });

  it('refuses the lock of another spec', async () => {
    const { set, io, server } = await setUp("releases: ['4.17.x']");
    const lock = await makeLock(set, io);

    for (const other of ["releases: ['4.16.x']", "releases: ['4.17.x']\n  streams: [rhel-9]"]) {
      await expect(checkLock(setOf(other, server.url), lock, io)).rejects.toMatchObject({
        code: 'LOCK_OUTDATED',
        hint: expect.stringContaining('kmodlayer lock') as string,
      });
    }
    // Where the graph is, and which kernels are built for, is no part of the question.
    const same = setOf("releases: ['4.17.x']\n  kernels: [default, rt]", `${server.url}/`);
    expect(await checkLock(same, lock, io)).toEqual([]);
  });
});

describe('updateLock()', () => {
  it('resolves the releases of a range alone, and leaves all else byte for byte', async () => {
    const { set, io } = await setUp("releases: ['>=4.16.17 <4.18', 4.16.2]");
    const lock = await makeLock(set, io);
    const before = formatLock(lock, '/specs');
    channels['stable-4.16'] = graphOf(releases.slice(0, 18));
    channels['stable-4.17'] = graphOf(releases.slice(20, 25));
    await addRelease(world, { version: '4.16.2', machineOs: '418.94.202601010000-0' });
    sources = { commit: COMMIT.replaceAll('0', 'f'), tree: 'two' };
    world.images.served.length = 0;

    const updated = await updateLock(set, lock, parseReleaseRange('4.17.x'), io);

    const after = formatLock(updated, '/specs');
    const at = before.indexOf('  - release: 4.17.0');
    expect(after.startsWith(before.trimEnd())).toBe(true);
    expect(after.slice(before.length)).toMatch(/^ {2}- release: 4\.17\.4\n(?: {4}.*\n)+$/);
    expect(at).toBeGreaterThan(0);
    // The one new release; what is known by its digest is not read again.
    expect(world.images.served.filter(({ call }) => call === 'getManifest')).toHaveLength(3);
  });
});

describe('updateLock(), with images as sources', () => {
  it('pins those of new kernels alone', async () => {
    const vendor = world.images.at(parseReference('registry.example.com/vendor/ice'));
    const push = async (kernel: string, text: string): Promise<void> => {
      vendor.tags.set(kernel, await addImage(vendor, { layers: [[{ path: 'a', content: text }]] }));
    };
    for (const { kernel } of releases.slice(18, 25)) await push(kernel, kernel);
    const { set, io } = await setUp(
      "releases: ['>=4.16.18 <4.18']",
      "{ image: 'registry.example.com/vendor/ice:{kernel}' }",
    );
    const lock = await makeLock(set, io);
    const before = imagesOf(lock);
    for (const { kernel } of releases.slice(18, 25)) await push(kernel, 'moved');
    channels['stable-4.17'] = graphOf(releases.slice(20, 25));

    const after = imagesOf(await updateLock(set, lock, parseReleaseRange('4.17.x'), io));

    expect(Object.keys(before)).toEqual(keysOf(releases.slice(18, 24)));
    expect(after).toMatchObject(before);
    expect(Object.keys(after)).toEqual(keysOf(releases.slice(18, 25)));
    expect(Object.keys(after)).not.toHaveLength(Object.keys(before).length);
  });
});

function keysOf(some: readonly MadeRelease[]): readonly string[] {
  return [...new Set(some.map(({ kernel }) => `${kernel} x86_64`))];
}

function imagesOf({ pins }: Lock): Readonly<Record<string, string>> {
  const pin = pins['ice'];
  return pin?.type === 'image' ? pin.images : {};
}

describe('requireSources()', () => {
  it('refuses a directory that is not what was locked, and takes what git has at its commit', async () => {
    const { set, io } = await setUp('releases: [4.16.2]');
    const lock = await makeLock(set, io);

    sources = { commit: COMMIT.replaceAll('0', 'f'), tree: 'one' };
    await requireSources(set, lock, io);
    sources = { commit: COMMIT, tree: 'two' };

    await expect(requireSources(set, lock, io)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });
});

describe('resolving many releases', () => {
  it('reads images that releases share once', async () => {
    const shared = setUpResolve();
    await addRelease(shared, { version: '4.16.30', tag: '4.16.30-x86_64' });
    await addRelease(shared, { version: '4.16.31', tag: '4.16.31-x86_64' });
    const { set, io } = await setUp('releases: [4.16.30, 4.16.31]');

    const { sources: at } = io;
    await makeLock(set, makeTestIo({ images: shared.images, cache: shared.cache, sources: at }));

    const blobs = shared.images.served.filter(({ call }) => call === 'readBlob').map(({ what }) => what);
    expect(new Set(blobs).size).toBe(blobs.length);
  });
});
