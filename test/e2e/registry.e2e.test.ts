import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseReference } from '../../src/oci/reference.ts';
import { parseTag } from '../../src/oci/tag.ts';
import { makeImages } from '../../src/registry/images.ts';
import type { Images } from '../../src/registry/repository.ts';
import { descriptorOf, registryContract, writeImage } from '../contract/registry.ts';
import { type DebianRegistry, startDebianRegistry } from '../support/debian-registry.ts';

const ALL = { canMount: true, checksBlobs: true };
const env = { HOME: '/nonexistent', PATH: process.env['PATH'] };

registryContract(
  'docker-registry over plain HTTP',
  async () => {
    const registry = await startDebianRegistry({ isSecured: false });
    return {
      images: makeImages({ env, insecureRegistries: [registry.host] }),
      referenceOf: (name) => parseReference(`${registry.host}/${name}`),
      close: registry.close,
    };
  },
  ALL,
);

registryContract(
  'docker-registry over plain HTTP, in chunks',
  async () => {
    const registry = await startDebianRegistry({ isSecured: false });
    return {
      images: makeImages({ env, insecureRegistries: [registry.host], chunkBytes: 1024 ** 2 }),
      referenceOf: (name) => parseReference(`${registry.host}/${name}`),
      close: registry.close,
    };
  },
  ALL,
);

registryContract(
  'docker-registry with TLS and a password',
  async () => {
    const registry = await startDebianRegistry({ isSecured: true });
    return {
      images: securedImages(registry),
      referenceOf: (name) => parseReference(`${registry.host}/${name}`),
      close: registry.close,
    };
  },
  ALL,
);

function securedImages({ authFile, caFile }: DebianRegistry): Images {
  return makeImages({ env, authFile, caFiles: caFile === undefined ? [] : [caFile] });
}

describe('skopeo and docker-registry with TLS', () => {
  let registry: DebianRegistry;
  let directory: string;
  let images: Images;
  beforeAll(async () => {
    registry = await startDebianRegistry({ isSecured: true });
    directory = await mkdtemp(join(tmpdir(), 'skopeo-'));
    images = securedImages(registry);
  });
  afterAll(async () => {
    await registry.close();
    await rm(directory, { recursive: true });
  });

  it('reads from a registry what we wrote there', async () => {
    const repository = await images.open(parseReference(`${registry.host}/ours/image`), 'write');
    const manifest = await writeImage(repository, 'from us');
    await repository.writeManifest(manifest, parseTag('v1'));

    const seen = skopeo(
      'inspect',
      '--tls-verify=false',
      '--authfile',
      registry.authFile ?? '',
      `docker://${registry.host}/ours/image:v1`,
    );

    expect(JSON.parse(seen)).toMatchObject({ Digest: manifest.digest, Architecture: 'amd64' });
  });

  it('reads from a layout what we wrote there, and writes one that we read', async () => {
    const ours = join(directory, 'ours');
    const theirs = join(directory, 'theirs');
    const repository = await images.open(parseReference(`oci:${ours}`), 'write');
    const manifest = await writeImage(repository, 'a layout');
    await repository.writeManifest(manifest, parseTag('v1'));

    skopeo('copy', '--preserve-digests', `oci:${ours}:v1`, `oci:${theirs}:v2`);
    const read = await (
      await images.open(parseReference(`oci:${theirs}`), 'read')
    ).getManifest(parseTag('v2'));

    expect(read.digest).toBe(manifest.digest);
  });

  it('reads from an archive what we wrote there, and writes one that we read', async () => {
    const ours = join(directory, 'ours.tar');
    const theirs = join(directory, 'theirs.tar');
    const repository = await images.open(parseReference(`oci-archive:${ours}`), 'write');
    const manifest = await writeImage(repository, 'an archive');
    await repository.writeManifest(manifest, parseTag('v1'));
    const second = await writeImage(repository, 'another image in it');
    await repository.writeManifest(second, parseTag('v2'));

    skopeo('copy', '--preserve-digests', `oci-archive:${ours}:v2`, `oci-archive:${theirs}:v3`);
    const copied = await images.open(parseReference(`oci-archive:${theirs}`), 'read');
    const read = await copied.getManifest(parseTag('v3'));

    expect(read.digest).toBe(second.digest);
    expect(execFileSync('tar', ['-tf', ours], { encoding: 'utf8' }).split('\n')).toContain('index.json');
    const seen = skopeo('inspect', `oci-archive:${ours}:v1`);
    expect(JSON.parse(seen)).toMatchObject({ Digest: manifest.digest });
  });

  it('writes to a registry what skopeo copies out of it with the same digest', async () => {
    const copy = join(directory, 'from-registry');
    const repository = await images.open(parseReference(`${registry.host}/ours/copied`), 'write');
    const manifest = await writeImage(repository, 'copied');
    await repository.writeManifest(manifest, parseTag('v1'));

    const access = ['--src-tls-verify=false', '--src-authfile', registry.authFile ?? ''];
    skopeo(
      'copy',
      '--preserve-digests',
      ...access,
      `docker://${registry.host}/ours/copied:v1`,
      `oci:${copy}:v1`,
    );
    const read = await (await images.open(parseReference(`oci:${copy}`), 'read')).getManifest(parseTag('v1'));

    expect(read.digest).toBe(manifest.digest);
  });

  it('says that a certificate is not trusted, and how to trust it', async () => {
    const strict = makeImages({ env, authFile: registry.authFile });
    const repository = await strict.open(parseReference(`${registry.host}/ours/image`), 'read');

    const reading = repository.getManifest(parseTag('v1'));

    await expect(reading).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('certificate') as unknown,
      hint: expect.stringContaining('--ca-file') as unknown,
    });
  });

  it('is reached without its CA when the user says so', async () => {
    const trusting = makeImages({ env, authFile: registry.authFile, insecureRegistries: [registry.host] });
    const repository = await trusting.open(parseReference(`${registry.host}/ours/other`), 'write');

    const manifest = await writeImage(repository, 'insecure');
    await repository.writeManifest(manifest, parseTag('v1'));

    expect((await repository.getManifest(parseTag('v1'))).digest).toBe(manifest.digest);
  });

  it('names the registry when there is no credential', async () => {
    const anonymous = makeImages({ env, caFiles: [registry.caFile ?? ''] });
    const repository = await anonymous.open(parseReference(`${registry.host}/ours/image`), 'read');

    const reading = repository.getManifest(parseTag('v1'));

    await expect(reading).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining(`podman login ${registry.host}`) as unknown,
    });
  });

  it('finishes an upload during which the registry is killed and started again', async () => {
    const repository = await images.open(parseReference(`${registry.host}/ours/killed`), 'write');
    const bytes = randomBytes(8 * 1024 ** 2);
    let attempts = 0;

    await repository.writeBlob(descriptorOf(bytes), async function* () {
      attempts++;
      yield bytes.subarray(0, 1024 ** 2);
      if (attempts === 1) await registry.restart();
      yield bytes.subarray(1024 ** 2);
    });

    expect(attempts).toBe(2);
    expect(await repository.hasBlob(descriptorOf(bytes))).toBe(true);
  });

  it('is reached through a proxy, by a tunnel', async () => {
    const asked: (string | undefined)[] = [];
    const proxy = createServer().on('connect', (request, client) => {
      asked.push(`${request.url ?? ''} ${request.headers['proxy-authorization'] ?? ''}`);
      const server = connect(Number(registry.host.split(':')[1]), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        server.pipe(client).pipe(server);
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const port = registry.host.split(':')[1] ?? '';
    const through = makeImages({
      env: { ...env, HTTPS_PROXY: `http://me:secret@127.0.0.1:${(proxy.address() as AddressInfo).port}` },
      caFiles: [registry.caFile ?? ''],
    });
    const repository = await through.open(parseReference(`registry.test:${port}/ours/image`), 'read');

    const reading = repository.getManifest(parseTag('v1'));

    // TLS was spoken with the registry through the tunnel: it is the registry that wants a credential.
    await expect(reading).rejects.toMatchObject({ code: 'UNAUTHORIZED', status: 401 });
    expect(asked[0]).toBe(`registry.test:${port} Basic ${Buffer.from('me:secret').toString('base64')}`);
    proxy.close();
  });

  it('mounts 46 blobs, eight at a time', async () => {
    const source = await images.open(parseReference(`${registry.host}/ours/base`), 'write');
    const target = await images.open(parseReference(`${registry.host}/ours/derived`), 'write');
    const contents = Array.from({ length: 46 }, (_, at) => Buffer.from(`layer ${at}`));
    for (const content of contents) await source.writeBlob(descriptorOf(content), () => [content]);

    const mounted = await Promise.all(
      contents.map((content) => target.mountBlob(descriptorOf(content), source)),
    );

    expect(mounted.every(Boolean)).toBe(true);
  });
});

function skopeo(...args: string[]): string {
  return execFileSync('skopeo', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
