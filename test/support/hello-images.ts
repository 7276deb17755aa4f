import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { runCli } from './cli-process.ts';
import { unpackImage } from './merged-root.ts';
import { startWorldRegistry, type WorldRegistry, worldRelease } from './world.ts';

const run = promisify(execFile);

/** OS images of the world with the hello driver, built by `kmodlayer build` and signed. */
export interface HelloImages {
  /** Others may read it; it is removed with all that is in it. */
  readonly scratch: string;
  /** Image of a release, as an OCI layout. */
  readonly imageOf: (version: string) => string;
  readonly kernelOf: (version: string) => string;
  /** The certificate whose key signed the modules, in PEM; `other.pem` is beside it. */
  readonly certificateFile: string;
  /** Root of the image of a release, unpacked on first use. */
  readonly rootOf: (version: string) => Promise<string>;
  /** Bytes of a module as it lies in an image, and its path there. */
  readonly moduleOf: (
    version: string,
    name: string,
  ) => Promise<{ readonly path: string; readonly bytes: Buffer }>;
  readonly remove: () => Promise<void>;
}

/** A release and the stream of it that is built. */
export interface HelloRelease {
  readonly version: string;
  readonly stream: string;
}

/** Builds the images; a failure leaves nothing behind. */
export async function buildHelloImages(releases: readonly HelloRelease[]): Promise<HelloImages> {
  const scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-hello-'));
  const remove = (): Promise<void> => rm(scratch, { recursive: true, force: true });
  try {
    await makeImages(scratch, releases);
  } catch (error) {
    await remove();
    throw error;
  }
  return openImages({ scratch, releases, remove });
}

async function makeImages(scratch: string, releases: readonly HelloRelease[]): Promise<void> {
  await run('chmod', ['755', scratch]);
  await mkdir(join(scratch, 'tmp'));
  for (const name of ['signing', 'other']) {
    await run('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-sha256',
        '-days',
        '30',
        '-subj',
        `/CN=The ${name} key`,
      ],
      ...['-keyout', join(scratch, `${name}.key`), '-out', join(scratch, `${name}.pem`)],
    ]);
  }
  const registry = await startWorldRegistry();
  try {
    for (const release of releases) await buildHello(release, { scratch, registry });
  } finally {
    await registry.stop();
  }
}

function openImages({
  scratch,
  releases,
  remove,
}: Pick<HelloImages, 'scratch' | 'remove'> & {
  readonly releases: readonly HelloRelease[];
}): HelloImages {
  const kernelOf = (version: string): string => {
    const wanted = releases.find((one) => one.version === version)?.stream;
    return worldRelease(version).streams.find(({ name }) => name === wanted)?.kernelRelease ?? '';
  };
  const imageOf = (version: string): string => `oci:${join(scratch, 'images')}:${version}`;
  const roots = new Map<string, Promise<string>>();
  const rootOf = (version: string): Promise<string> => {
    const to = join(scratch, `root-${version}`);
    const known = roots.get(version) ?? unpackImage({ image: imageOf(version), to }).then(() => to);
    roots.set(version, known);
    return known;
  };
  return {
    scratch,
    imageOf,
    kernelOf,
    certificateFile: join(scratch, 'signing.pem'),
    rootOf,
    moduleOf: async (version, name) => {
      const path = `usr/lib/modules/${kernelOf(version)}/extra/hello/${name}.ko`;
      return { path, bytes: await readFile(join(await rootOf(version), path)) };
    },
    remove,
  };
}

async function buildHello(
  { version, stream }: HelloRelease,
  { scratch, registry }: { readonly scratch: string; readonly registry: WorldRegistry },
): Promise<void> {
  const { host } = registry;
  const file = join(scratch, `${version}.yaml`);
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'kmodlayer/v1',
      kind: 'DriverSet',
      metadata: { name: 'hello' },
      targets: {
        releases: [version],
        streams: [stream],
        releaseRepository: `${host}/openshift-release-dev/ocp-release`,
      },
      drivers: [
        {
          name: 'hello',
          version: '1.0.0',
          source: { directory: resolve('fixtures/drivers/hello') },
          build: { run: 'make KERNEL_RELEASE="$KERNEL_RELEASE"' },
          modules: [{ name: 'kl_base' }, { name: 'kl_hello', parameters: { greeting: 'good morning' } }],
        },
      ],
      sign: [{ key: 'file:signing.key', certificate: 'signing.pem', hash: 'sha256' }],
      publish: { osImage: `${host}/acme/rhcos-hello-${version}` },
      rollout: { pools: ['worker'] },
    }),
  );
  const { exitCode, stdout, stderr } = await runCli(
    ['build', '-f', file, '-o', 'json', '--authfile', registry.authFile, '--ca-file', registry.caFile],
    { env: { XDG_CACHE_HOME: join(scratch, 'build-cache'), XDG_STATE_HOME: join(scratch, 'state') } },
  );
  if (exitCode !== 0) throw new Error(stderr);
  const { images } = JSON.parse(stdout) as { images: readonly { readonly image: string }[] };
  await run('skopeo', [
    ...['copy', '--quiet', '--preserve-digests', '--src-authfile', registry.authFile],
    ...['--src-cert-dir', registry.certDir],
    ...[`docker://${images[0]?.image ?? ''}`, `oci:${join(scratch, 'images')}:${version}`],
  ]);
}
