import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readWorld, worldDirectory, type WorldRelease, type WorldStream } from '../test/support/world.ts';

/** The release of the world whose OS image has the size and shape of a real one. */
export interface BenchRelease {
  readonly version: string;
  readonly stream: WorldStream;
  /** Names that the payload uses; registries of the bench are their mirrors. */
  readonly releaseRepository: string;
  /** Repository of the OS image, without host. */
  readonly componentRepository: string;
  /** Digest of the OS image. */
  readonly osImage: string;
  /** Tree with every module of the kernel, compressed with xz. */
  readonly kernelTree: string;
}

/** @throws {Error} when the world was set up without it. */
export function readBenchRelease(): BenchRelease {
  const { releases, releaseRepository } = readWorld();
  const release: WorldRelease | undefined = releases.find(({ isBench }) => isBench);
  const stream = release?.streams[0];
  if (release === undefined || stream === undefined) {
    throw new Error('The world has no release for the bench: run "npm run world -- --bench" as root');
  }
  const [name = '', osImage = ''] = stream.osImage.split('@');
  return {
    version: release.version,
    stream,
    releaseRepository,
    componentRepository: name.slice(name.indexOf('/') + 1),
    osImage,
    kernelTree: join(worldDirectory(), 'trees', `${stream.kernelRelease}-whole`),
  };
}

/** A copy of the world's registry storage: blobs never change, so they are hard links. */
export function copyStorage(to: string): void {
  const v2 = 'docker/registry/v2';
  const from = join(worldDirectory(), 'registry', v2);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(join(to, v2), { recursive: true });
  execFileSync('cp', ['-a', join(from, 'repositories'), join(to, v2, 'repositories')]);
  execFileSync('cp', ['-al', join(from, 'blobs'), join(to, v2, 'blobs')]);
}

/** Writes an ImageDigestMirrorSet and an ImageTagMirrorSet that send the payload's names to a registry. */
export function writeMirrors(file: string, { stream, releaseRepository }: BenchRelease, host: string): void {
  const [components = ''] = stream.osImage.split('@');
  const mirrors = [components, releaseRepository].map((source) => ({
    source,
    mirrors: [`${host}${source.slice(source.indexOf('/'))}`],
  }));
  const set = (kind: string, field: string): string =>
    JSON.stringify({
      apiVersion: 'config.openshift.io/v1',
      kind,
      metadata: { name: 'bench' },
      spec: { [field]: mirrors.map((mirror) => ({ ...mirror, mirrorSourcePolicy: 'NeverContactSource' })) },
    });
  writeFileSync(
    file,
    `${set('ImageDigestMirrorSet', 'imageDigestMirrors')}\n---\n${set('ImageTagMirrorSet', 'imageTagMirrors')}\n`,
  );
}
