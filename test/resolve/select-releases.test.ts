import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Arch } from '../../src/oci/arch.ts';
import { formatReference, parseReference } from '../../src/oci/reference.ts';
import { parseGraph } from '../../src/resolve/graph.ts';
import { graphReader } from '../../src/resolve/graph-reader.ts';
import { releaseJobs } from '../../src/resolve/release-jobs.ts';
import { type SelectRequest, selectReleases } from '../../src/resolve/select-releases.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';
import { isInRange, parseReleaseRange } from '../../src/spec/release-range.ts';
import { parseGraphLocation } from '../../src/spec/values.ts';
import { makeTestIo } from '../support/io.ts';
import { serveFiles } from '../support/web-server.ts';

const REAL = 'fixtures/graphs/stable-4.13-amd64.json';
const REPOSITORY = 'quay.io/openshift-release-dev/ocp-release';

interface Node {
  readonly version: string;
  readonly payload?: string;
}

function graphOf(nodes: readonly Node[], more: object = {}): string {
  return JSON.stringify({
    version: 1,
    nodes: nodes.map(({ version, payload }) => ({ version, payload: payload ?? payloadNamed(version) })),
    edges: [],
    ...more,
  });
}

/** A digest that tells versions apart. */
function payloadNamed(version: string): string {
  const hex = Buffer.from(version).toString('hex').padEnd(64, '0').slice(0, 64);
  return `${REPOSITORY}@sha256:${hex}`;
}

/** An update service that knows some channels of amd64, and what it was asked. */
async function serveChannels(channels: Readonly<Record<string, string>>) {
  const server = await serveFiles({
    '/api/upgrades_info/v1/graph': (request, response) => {
      const query = new URL(request.url ?? '', 'http://localhost').searchParams;
      const graph = channels[`${query.get('channel')} ${query.get('arch')}`];
      if (request.headers.accept !== 'application/json') response.writeHead(406).end();
      else if (graph === undefined) response.writeHead(404).end('{"kind":"not_found"}');
      else response.writeHead(200, { 'content-type': 'application/json' }).end(graph);
    },
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function select(ranges: readonly string[], url: string, request: Partial<SelectRequest> = {}) {
  const io = makeTestIo();
  const graph = graphReader(parseGraphLocation(url), io);
  const releases = await selectReleases(
    { ranges: ranges.map(parseReleaseRange), arches: ['x86_64'], releaseRepository: undefined, ...request },
    graph,
    io.report,
  );
  return { releases, versions: releases.map(({ version }) => version), events: io.events };
}

describe('selectReleases()', () => {
  it('finds the releases of a range in a real graph, with the risks of updating to them', async () => {
    const { releases, versions } = await select(['>=4.13.30 <4.13.38'], REAL);

    expect(versions.length).toBeGreaterThan(4);
    expect(versions.every((version) => version.startsWith('4.13.3'))).toBe(true);
    const { update, payload } = releases.find(({ version }) => version === '4.13.36')!;
    expect(formatReference(payload)).toMatch(
      /^quay\.io\/openshift-release-dev\/ocp-release@sha256:[0-9a-f]{64}$/,
    );
    expect(update.channel).toBe(REAL);
    expect(update.risks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['CephCapDropPanic', 'HighNodeStatusReportFrequency']) as string[],
    );
  });

  it('asks stable, fast, eus and candidate in this order, with the architecture, and stops at the first', async () => {
    const server = await serveChannels({
      'stable-4.16 amd64': graphOf([{ version: '4.15.9' }]),
      'eus-4.16 amd64': graphOf([{ version: '4.15.9' }, { version: '4.16.10' }, { version: '4.16.2' }]),
      'candidate-4.16 amd64': graphOf([{ version: '4.16.11' }]),
    });

    const { releases, versions } = await select(['4.16.x'], server.url);

    expect(versions).toEqual(['4.16.2', '4.16.10']);
    expect(releases[0]?.update.channel).toBe('eus-4.16');
    expect(server.requests).toEqual(
      ['stable', 'fast', 'eus'].map((kind) => `/api/upgrades_info/v1/graph?channel=${kind}-4.16&arch=amd64`),
    );
  });

  it('goes on to the next channel when the first has the minor, but nothing in the range', async () => {
    const server = await serveChannels({
      'stable-4.18 amd64': graphOf([{ version: '4.18.1' }]),
      'candidate-4.18 amd64': graphOf([{ version: '4.18.1' }, { version: '4.18.5' }]),
    });

    expect((await select(['>=4.18.3 <4.19'], server.url)).versions).toEqual(['4.18.5']);
  });

  it('walks the minors of a range over a gap, and ends where two in a row are unknown', async () => {
    const server = await serveChannels({
      'stable-4.14 amd64': graphOf([{ version: '4.14.3' }]),
      'stable-4.16 amd64': graphOf([{ version: '4.16.3' }]),
      'stable-4.20 amd64': graphOf([{ version: '4.20.3' }]),
      'stable-5.0 amd64': graphOf([{ version: '5.0.1' }]),
    });

    const { versions } = await select(['>=4.12'], server.url);

    expect(versions).toEqual(['4.14.3', '4.16.3', '5.0.1']);
    expect(server.requests.length).toBeLessThan(60);
  });

  it('takes pre-releases only when the range names one', async () => {
    const server = await serveChannels({
      'candidate-4.22 amd64': graphOf([{ version: '4.22.0-rc.1' }, { version: '4.22.0-ec.3' }]),
    });

    expect((await select(['>=4.22.0-rc.0 <4.22.1'], server.url)).versions).toEqual(['4.22.0-rc.1']);
    await expect(select(['4.22.x'], server.url)).rejects.toMatchObject({ code: 'RANGE_EMPTY' });
  });

  it('selects for each architecture, and says where a range is empty', async () => {
    const server = await serveChannels({
      'stable-4.18 amd64': graphOf([{ version: '4.18.1' }, { version: '4.18.2' }]),
      'stable-4.18 arm64': graphOf([{ version: '4.18.2' }]),
    });

    const { releases, events } = await select(['4.18.x'], server.url, {
      arches: ['x86_64', 'aarch64', 's390x'],
    });

    expect(releases.map(({ version, arch }) => `${version} ${arch}`)).toEqual([
      '4.18.1 x86_64',
      '4.18.2 x86_64',
      '4.18.2 aarch64',
    ]);
    expect(events).toEqual([
      { type: 'warning', message: 'The update graph has no release of 4.18.x for s390x' },
    ]);
  });

  it('goes on to look up a version that is named, on architectures that the graph lacks', async () => {
    const server = await serveChannels({
      'stable-4.18 amd64': graphOf([{ version: '4.18.1' }, { version: '4.18.2' }]),
      'stable-4.18 arm64': graphOf([{ version: '4.18.2' }]),
    });
    const jobsOf = async (arches: readonly Arch[] | undefined) => {
      const { jobs } = await releaseJobs(
        {
          releases: [
            { type: 'range', range: parseReleaseRange('4.18.x') },
            { type: 'name', name: '4.18.1', version: parseOpenShiftVersion('4.18.1') },
            { type: 'name', name: '4.18.2', version: parseOpenShiftVersion('4.18.2') },
          ],
          arches,
          releaseRepository: undefined,
          graph: parseGraphLocation(server.url),
          rules: { exclude: [], ceilings: [] },
        },
        makeTestIo(),
      );
      return jobs.map(({ what, release }) => `${what}: ${release.replace(/^.*@/, '').slice(0, 7)}`);
    };

    expect(await jobsOf(['x86_64', 'aarch64'])).toEqual([
      ...['4.18.1 x86_64: sha256:', '4.18.2 x86_64: sha256:', '4.18.2 aarch64: sha256:'],
      '4.18.1 aarch64: 4.18.1',
    ]);
    expect(await jobsOf(undefined)).toEqual(['4.18.1: sha256:', '4.18.2: sha256:']);
  });

  it('looks for the digests of the graph in a mirror', async () => {
    const releaseRepository = parseReference('mirror.example.com/openshift/release-images');

    const { releases } = await select(['4.13.x'], REAL, { releaseRepository });

    expect(formatReference(releases[0]!.payload)).toMatch(
      /^mirror\.example\.com\/openshift\/release-images@sha256:/,
    );
  });

  it('says what to do when the service is not there', async () => {
    const server = await serveFiles({});
    await server[Symbol.asyncDispose]();

    await expect(
      selectReleases(
        { ranges: [parseReleaseRange('4.18.x')], arches: ['x86_64'], releaseRepository: undefined },
        graphReader(parseGraphLocation(server.url), {
          ...makeTestIo(),
          signal: AbortSignal.timeout(300),
        }),
        () => undefined,
      ),
    ).rejects.toThrow();
    await expect(select(['4.18.x'], '/nonexistent/graph.json')).rejects.toMatchObject({
      code: 'GRAPH_INVALID',
      hint: expect.stringContaining('path') as string,
    });
  });

  it.each([
    ['[]', 'it has no list of nodes'],
    ['{', 'it is not JSON'],
    ['{"version":2,"nodes":[]}', 'its version is 2, not 1'],
    ['{"nodes":[{"version":"4.18.1"}]}', 'no payload'],
    [graphOf([{ version: '4.18.1' }, { version: '4.18.1' }]), 'it has 4.18.1 twice'],
    [graphOf([{ version: '4.18.1', payload: `${REPOSITORY}:4.18.1-x86_64` }]), 'no image by digest'],
    [graphOf([{ version: '4.18.1', payload: '-oProxyCommand=x' }]), 'no image by digest'],
  ])('refuses the graph %s', async (graph, message) => {
    const server = await serveChannels({ 'stable-4.18 amd64': graph });

    await expect(select(['4.18.x'], server.url)).rejects.toMatchObject({
      code: 'GRAPH_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  it('never takes a release outside of its ranges, and takes all that are inside', async () => {
    const patch = fc.integer({ min: 0, max: 60 });
    const nodes = parseGraph(readFileSync(REAL), REAL);

    await fc.assert(
      fc.asyncProperty(patch, patch, async (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const range = `>=4.13.${from} <4.13.${to}`;
        const expected = nodes
          .map(({ version }) => version)
          .filter((version) => version.startsWith('4.13.'))
          .filter((version) => Number(version.slice(5)) >= from && Number(version.slice(5)) < to);
        const { versions } = await select([range], REAL).catch(() => ({ versions: [] as string[] }));

        expect([...versions].sort()).toEqual([...expected].sort());
        expect(versions.map((version) => Number(version.slice(5)))).toEqual(
          versions.map((version) => Number(version.slice(5))).sort((a, b) => a - b),
        );
      }),
      { numRuns: 50 },
    );
  });
});

describe('parseReleaseRange()', () => {
  it('takes a version for the range of itself', () => {
    const version = fc
      .tuple(
        fc.nat(20),
        fc.nat(99),
        fc.nat(200),
        fc.constantFrom('', '-rc.1', '-okd-scos.7', '-0.ci-2025-12-04'),
      )
      .map(([major, minor, patch, end]) => parseOpenShiftVersion(`${major}.${minor}.${patch}${end}`));

    fc.assert(
      fc.property(version, version, (one, other) => {
        expect(isInRange(one, parseReleaseRange(one))).toBe(true);
        expect(isInRange(other, parseReleaseRange(one))).toBe(one === other);
      }),
    );
  });
});
