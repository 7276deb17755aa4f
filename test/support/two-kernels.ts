import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type BuildOptions, planBuild } from '../../src/build.ts';
import type { CompileDecision } from '../../src/decide.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { makeSources } from '../../src/engine/make-sources.ts';
import { decompressModule } from '../../src/kmod/compression.ts';
import { descriptorJson } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { readLayerFiles } from '../../src/oci/layer-files.ts';
import { MEDIA_TYPES } from '../../src/oci/media-type.ts';
import { parseReference, pinned } from '../../src/oci/reference.ts';
import { lockIdentity } from '../../src/plan/lock.ts';
import { resolve as resolveRelease } from '../../src/resolve/resolve.ts';
import type { Target } from '../../src/resolve/target.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { parseOpenShiftVersion } from '../../src/spec/openshift-version.ts';
import { type DriverSet, parseSpec } from '../../src/spec/spec.ts';
import { makeTestIo, type TestIo, withTemporaryDirectory } from './io.ts';
import { openQuickstart, rawTar } from './layered-image.ts';
import { type OverHttp, overHttp } from './over-http.ts';

export const QUICKSTART = resolve('fixtures/quickstart');
export const OLD = '6.1.0-56-amd64';
export const NEW = '6.1.0-57-amd64';
const OPTIONS = { toolVersion: '0.0.0-test' };

export type Files = ReadonlyMap<string, Buffer>;

let osFiles: Promise<Files> | undefined;

/** Reads them once. */
async function readOsFiles(): Promise<Files> {
  const image = await openQuickstart();
  const files = new Map<string, Buffer>();
  for (const layer of image.manifest.layers) {
    const read = await readLayerFiles(() => image.repository.readBlob(layer), {
      maxBytes: 1e9,
      wants: () => true,
    });
    for (const [path, bytes] of read.files) files.set(path, bytes);
  }
  return files;
}

/** All files of the quickstart's OS image, by path. */
export function quickstartFiles(): Promise<Files> {
  osFiles ??= readOsFiles();
  return osFiles;
}

/** A set whose modules are published for one kernel, and releases with another. */
export interface TwoKernels {
  readonly http: OverHttp;
  readonly io: TestIo;
  readonly set: DriverSet;
  readonly old: Target;
  readonly builds: { count: number };
  /** Adds a release whose kernel has these files, as changed from those of the old one. */
  readonly addKernel: (change?: (files: Map<string, Buffer>) => void | Promise<void>) => Promise<Target>;
  /** Plans or builds for targets, on a machine that has compiled nothing yet. */
  readonly plan: (
    targets: readonly Target[],
    options?: Partial<BuildOptions>,
    set?: DriverSet,
  ) => Promise<CompileDecision>;
  readonly build: (targets: readonly Target[], options?: Partial<BuildOptions>) => ReturnType<typeof build>;
}

function makeSet(directory: string, host: string, more = ''): DriverSet {
  const keys = `${QUICKSTART}/keys/TEST-ONLY`;
  return parseSpec(
    `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets: { releases: [4.18.4, 4.18.5] }
drivers:
  - name: hello
    version: 1.0.0
    source: { directory: ./hello }
    modules: [{ name: kl_base }, { name: kl_hello }]
sign: [{ key: "${keys}.key", certificate: "${keys}.der" }]
publish: { osImage: "${host}/acme/os", kmodImage: "${host}/acme/kmods" }
${more}`,
    join(directory, 'kmodlayer.yaml'),
  );
}

/** A registry, a driver in a directory, and an engine that "compiles" the modules of the quickstart. */
export async function withTwoKernels(use: (world: TwoKernels) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const http = await overHttp();
    await mkdir(join(directory, 'hello'));
    await writeFile(join(directory, 'hello/hello.c'), 'int hello;\n');
    const builds = { count: 0 };
    const engine: Engine = {
      ...{ name: 'podman', version: '5.0.0' },
      pull: () => Promise.resolve('image'),
      async build({ outputDirectory }) {
        builds.count++;
        for (const name of ['kl_base', 'kl_hello']) {
          const path = join(outputDirectory, `modules/${name}.ko`);
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, await readFile(`${QUICKSTART}/modules/${name}.ko`));
        }
      },
    };
    const freshIo = (): TestIo =>
      makeTestIo({
        images: http.images,
        engine: () => Promise.resolve(engine),
        sources: makeSources({ web: makeTestIo().web, directory: join(directory, 'downloads') }),
      });
    const [old] = await resolveRelease({ release: `oci:${QUICKSTART}/release:4.18.4` }, makeTestIo());
    if (old === undefined) throw new Error('The quickstart has a release');
    const set = makeSet(directory, http.registry.host);
    const lockOf = (targets: readonly Target[]) => ({
      spec: lockIdentity(set),
      targets,
      excluded: [],
      pins: {},
    });
    await use({
      ...{ http, set, old, builds },
      io: freshIo(),
      addKernel: (change) => addKernel(http, old, change),
      async plan(targets, options = {}, changed = set) {
        const { decisions } = await planBuild(changed, { lock: lockOf(targets), ...options }, freshIo());
        const all = [...decisions.compiles.values()];
        return all.at(-1)!;
      },
      build: (targets, options = {}) =>
        build(set, { ...OPTIONS, lock: lockOf(targets), ...options }, freshIo()),
    });
  });
}

async function addKernel(
  { registry }: OverHttp,
  old: Target,
  change: (files: Map<string, Buffer>) => void | Promise<void> = () => undefined,
): Promise<Target> {
  const files = new Map<string, Buffer>();
  for (const [path, bytes] of await quickstartFiles()) {
    const isModule = /\.ko(?:\.xz|\.gz|\.zst)?$/.test(path);
    files.set(path.replaceAll(OLD, NEW), isModule ? await forNewKernel(bytes) : bytes);
  }
  await change(files);
  const tar = await rawTar([...files].map(([name, content]) => ({ name, content })));
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: 'test' }],
  };
  const manifest = registry.putManifest('ocp/art', {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.oci.manifest,
    config: descriptorJson(
      registry.putBlob('ocp/art', Buffer.from(JSON.stringify(config)), MEDIA_TYPES.oci.config),
    ),
    layers: [descriptorJson(registry.putBlob('ocp/art', gzipSync(tar), MEDIA_TYPES.oci.layerGzip))],
  });
  const reference = pinned(parseReference(`${registry.host}/ocp/art`), manifest.digest);
  const kernel = parseKernelRelease(NEW);
  return {
    ...old,
    release: { ...old.release, version: parseOpenShiftVersion('4.18.5') },
    osImage: { ...old.osImage, reference, location: reference, digest: manifest.digest, kernel },
    driverToolkit: { ...old.driverToolkit, kernel },
    kernels: [{ flavour: 'default', release: kernel, isInOsImage: true }],
  };
}

/** A module as the build of the new kernel would give it: its version magic names that. */
async function forNewKernel(bytes: Buffer): Promise<Buffer> {
  const plain = Buffer.from(await decompressModule(bytes));
  for (let at = plain.indexOf(OLD); at >= 0; at = plain.indexOf(OLD, at + 1)) plain.write(NEW, at, 'latin1');
  return plain;
}
