import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatReference, parseReference } from '../../src/oci/reference.ts';
import { makeImages } from '../../src/registry/images.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import { MemoryCache } from '../support/synthetic-release.ts';
import { readWorld, startWorldRegistry, type WorldRegistry } from '../support/world.ts';

const run = promisify(execFile);
const world = readWorld();
const releaseRepository = parseReference(world.releaseRepository);
const BROKEN = '4.18.6';
const sound = world.releases.filter(({ version, isBench }) => version !== BROKEN && !isBench);

let registry: WorldRegistry;

beforeAll(async () => {
  registry = await startWorldRegistry();
});

afterAll(async () => {
  await registry.stop();
});

function setUp(cache = new MemoryCache()) {
  const images = makeImages({
    authFile: registry.authFile,
    caFiles: [registry.caFile],
    env: { PATH: process.env['PATH'] },
  });
  return {
    images,
    cache,
    report: () => undefined,
    releaseTrust: { verify: () => Promise.resolve(undefined) },
    signal: new AbortController().signal,
  };
}

/** What skopeo says the digest of an image is. */
async function digestBySkopeo(pullspec: string): Promise<string> {
  const { stdout } = await run('skopeo', [
    'inspect',
    '--no-tags',
    '--format={{.Digest}}',
    `--authfile=${registry.authFile}`,
    `--cert-dir=${registry.certDir}`,
    `docker://${pullspec}`,
  ]);
  return stdout.trim();
}

describe("resolve() of the world's releases", () => {
  it.each(sound)('$version resolves to what its images hold', async ({ version, streams, pullspec }) => {
    const names = streams.map(({ name }) => name);

    const targets = await resolve({ release: version, streams: names, releaseRepository }, setUp());

    expect(
      targets.map((target) => ({
        name: target.stream,
        osTag: target.osImage.name,
        osImage: formatReference(target.osImage.reference),
        driverToolkit: formatReference(target.driverToolkit.reference),
        extensions: target.extensions && formatReference(target.extensions.reference),
        kernelRelease: target.osImage.kernel,
        driverToolkitKernelRelease: target.driverToolkit.kernel,
        rtKernelRelease: target.driverToolkit.rtKernel,
        machineOs: target.osImage.machineOs,
        rhelVersion: target.rhelVersion,
      })),
    ).toEqual(streams.map((facts) => ({ ...facts, format: undefined })));
    expect(targets[0]?.release.digest).toBe(await digestBySkopeo(pullspec));
  });

  it('takes the stream that the release installs when none is asked for', async () => {
    const targets = await resolve({ release: '4.22.1', releaseRepository }, setUp());

    expect(targets.map(({ stream }) => stream)).toEqual(['rhel-9']);
  });

  it(`refuses ${BROKEN}, whose driver-toolkit is for another kernel`, async () => {
    const broken = world.releases.find(({ version }) => version === BROKEN)?.streams[0];

    const resolving = resolve({ release: BROKEN, releaseRepository }, setUp());

    await expect(resolving).rejects.toMatchObject({
      code: 'KERNEL_MISMATCH',
      message: expect.stringContaining(
        `kernel ${broken?.kernelRelease ?? ''}, its driver-toolkit ${broken?.driverToolkitKernelRelease ?? ''}`,
      ) as string,
    });
  });

  it('answers an unknown release with those that the registry has', async () => {
    const resolving = resolve({ release: '4.18.7', releaseRepository }, setUp());

    await expect(resolving).rejects.toMatchObject({
      code: 'RELEASE_UNKNOWN',
      hint: expect.stringMatching(/^The nearest releases there are 4\.18\.6, 4\.18\.5, 4\.18\.4,/) as string,
    });
  });

  it('asks for three manifests, and for configs and small layers alone', async () => {
    const cache = new MemoryCache();
    const before = (await registry.requests()).length;

    await resolve({ release: '4.19.1', releaseRepository }, setUp(cache));

    const lines = (await registry.requests()).slice(before).filter((line) => / 200 |" 200/.test(line));
    expect(lines.filter((line) => line.includes('/manifests/'))).toHaveLength(3);
    expect(lines.filter((line) => line.includes('/blobs/')).length).toBeLessThanOrEqual(8);
  });
});
