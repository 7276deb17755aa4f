import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeWithDepmod, unpackImage } from '../support/merged-root.ts';

const LAYOUT = join(import.meta.dirname, '../../fixtures/quickstart/release');
const KERNEL = '6.1.0-56-amd64';

interface Index {
  readonly manifests: readonly { readonly digest: string }[];
}

describe('the quickstart fixture', () => {
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-quickstart-'));
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  it('names its components by digests that are in the same layout', async () => {
    const root = join(scratch, 'payload');
    const index = JSON.parse(await readFile(join(LAYOUT, 'index.json'), 'utf8')) as Index;

    await unpackImage({ image: `oci:${LAYOUT}:4.18.4`, to: root });

    const references = JSON.parse(
      await readFile(join(root, 'release-manifests/image-references'), 'utf8'),
    ) as { spec: { tags: { name: string; from: { name: string } }[] } };
    const digests = index.manifests.map(({ digest }) => digest);
    const found = references.spec.tags.filter(({ from }) => digests.includes(from.name.split('@')[1] ?? ''));
    expect(found.map(({ name }) => name)).toEqual([
      'driver-toolkit',
      'rhel-coreos',
      'rhel-coreos-extensions',
    ]);
  });

  it('has an OS image whose indexes are what the real depmod writes', async () => {
    const root = join(scratch, 'os');
    const index = JSON.parse(await readFile(join(LAYOUT, 'index.json'), 'utf8')) as Index;
    const osImage = join(scratch, 'os-layout');
    await copyWithName(index.manifests[0]?.digest ?? '', osImage);

    await unpackImage({ image: `oci:${osImage}:os`, to: root });
    const verdict = await judgeWithDepmod(root, KERNEL);

    expect(verdict.changed).toEqual([]);
    expect(verdict.compared).toContain('modules.dep.bin');
    expect(await readdir(join(root, 'usr/lib/modules'))).toEqual([KERNEL]);
  });
});

/** skopeo finds images of a layout by name only, so the OS image gets one in a copy of the layout. */
async function copyWithName(digest: string, to: string): Promise<void> {
  await cp(LAYOUT, to, { recursive: true });
  const index = JSON.parse(await readFile(join(to, 'index.json'), 'utf8')) as {
    manifests: Record<string, unknown>[];
  };
  const named = index.manifests
    .filter((one) => one['digest'] === digest)
    .map((one) => ({ ...one, annotations: { 'org.opencontainers.image.ref.name': 'os' } }));
  await writeFile(join(to, 'index.json'), JSON.stringify({ ...index, manifests: named }));
}
