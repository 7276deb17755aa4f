import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type CliOptions, type CliResult, runCli } from './cli-process.ts';
import type { TestRegistry } from './test-registry.ts';

export const QUICKSTART = resolve('fixtures/quickstart');
/** Where the payload of the quickstart's release says that its images are. */
const COMPONENTS = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';
/** Repository that `serveQuickstart` fills. */
export const SERVED = 'openshift/release';

/** A directory for specs, and a home of its own for the commands that run in it. */
export interface BrokenDay {
  readonly directory: string;
  /** Runs `kmodlayer build -f <spec>`, and remembers what it printed. */
  readonly build: (
    spec: string,
    args?: readonly string[],
    options?: Pick<CliOptions, 'onStderr' | 'env'>,
  ) => Promise<CliResult>;
  /** Names of the temporary files and directories of kmodlayer that are left. */
  readonly leftovers: () => Promise<readonly string[]>;
  /** Everything that the commands printed, and every log that they kept. */
  readonly told: () => Promise<string>;
  /** Writes a spec; relative paths in it start at `directory`. */
  readonly writeSpec: (name: string, spec: object) => Promise<string>;
  /** Forgets what was learnt from images before. */
  readonly forget: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Makes the directory. */
export async function startBrokenDay(): Promise<BrokenDay> {
  const directory = await mkdtemp(join(tmpdir(), 'broken-days-'));
  const below = (name: string): string => join(directory, name);
  for (const name of ['tmp', 'home', 'runtime']) await mkdir(below(name));
  const env = {
    HOME: below('home'),
    TMPDIR: below('tmp'),
    XDG_CACHE_HOME: below('cache'),
    XDG_STATE_HOME: below('state'),
    XDG_RUNTIME_DIR: below('runtime'),
  };
  const printed: string[] = [];
  return {
    directory,
    build: async (spec, args = [], options = {}) => {
      const result = await runCli(['build', '-f', spec, ...args], {
        ...options,
        cwd: directory,
        env: { ...env, ...options.env },
      });
      printed.push(result.stdout, result.stderr);
      return result;
    },
    leftovers: async () => (await readdir(below('tmp'))).filter((name) => name.startsWith('kmodlayer-')),
    told: async () => [...printed, ...(await textsBelow(below('state')))].join('\n'),
    writeSpec: async (name, spec) => {
      await writeFile(below(`${name}.yaml`), JSON.stringify(spec, undefined, 2));
      return `${name}.yaml`;
    },
    forget: () => rm(below('cache'), { recursive: true, force: true }),
    stop: () => rm(directory, { recursive: true, force: true }),
  };
}

async function textsBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')),
  );
}

export interface QuickstartSpec {
  readonly osImage: string;
  readonly release?: string;
  readonly targets?: object;
  readonly sign?: object;
  readonly driver?: object;
}

/** A spec with the modules of the quickstart, which need no compiler. */
export function quickstartSpec({ osImage, release, targets, sign, driver }: QuickstartSpec): object {
  return {
    apiVersion: 'kmodlayer/v1',
    kind: 'DriverSet',
    metadata: { name: 'hello' },
    targets: { releases: [release ?? `oci:${QUICKSTART}/release:4.18.4`], ...targets },
    drivers: [
      driver ?? {
        name: 'hello',
        version: '1.0.0',
        source: { files: ['kl_base', 'kl_hello'].map((name) => `${QUICKSTART}/modules/${name}.ko`) },
        modules: [{ name: 'kl_base' }, { name: 'kl_hello', autoload: true }],
      },
    ],
    sign: [
      sign ?? {
        key: `file:${QUICKSTART}/keys/TEST-ONLY.key`,
        certificate: `${QUICKSTART}/keys/TEST-ONLY.der`,
      },
    ],
    publish: { osImage },
  };
}

/**
 * Puts the release of the quickstart into a registry.
 *
 * @returns Its pullspec, an ImageDigestMirrorSet with which its images are found, and its layers, largest first.
 */
export async function serveQuickstart(
  registry: TestRegistry,
): Promise<{ release: string; mirrors: object; layers: readonly string[] }> {
  const layout = join(QUICKSTART, 'release');
  const served = registry.repository(SERVED);
  for (const name of await readdir(join(layout, 'blobs/sha256'))) {
    served.blobs.set(`sha256:${name}`, await readFile(join(layout, 'blobs/sha256', name)));
  }
  const { manifests } = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
    manifests: readonly { mediaType: string; digest: string; annotations?: Record<string, string> }[];
  };
  for (const { mediaType, digest, annotations } of manifests) {
    served.manifests.set(digest, { mediaType, bytes: served.blobs.get(digest)! });
    const tag = annotations?.['org.opencontainers.image.ref.name'];
    if (tag !== undefined) served.tags.set(tag, digest);
  }
  const host = `${registry.host}/${SERVED}`;
  return {
    release: `${host}:4.18.4`,
    mirrors: {
      apiVersion: 'config.openshift.io/v1',
      kind: 'ImageDigestMirrorSet',
      metadata: { name: 'quickstart' },
      spec: {
        imageDigestMirrors: [
          { source: COMPONENTS, mirrors: [host], mirrorSourcePolicy: 'NeverContactSource' },
        ],
      },
    },
    layers: [...served.blobs]
      .sort(([, one], [, other]) => other.length - one.length)
      .map(([digest]) => digest)
      .slice(0, 2),
  };
}

/** Resolves when something is so; asks every few milliseconds. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setTimeout(done, 5));
}
