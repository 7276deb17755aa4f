import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type BenchRelease, copyStorage, readBenchRelease, writeMirrors } from './bench-release.ts';
import { type Command, type Counter, measure, type Sample } from './measure.ts';
import { type RegistryHost, startRegistryHost } from './registry-host.ts';
import type { Row } from './table.ts';

/** Steps with podman take minutes, the others seconds. */
const FULL_ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const APPEND_ROUNDS = FULL_ROUNDS + 2;
const FAR_PORT = 5099;
const RTT_MS = 80;

/** Where a step runs: which registry holds the base, which gets the result. */
interface Place {
  readonly release: BenchRelease;
  readonly from: string;
  readonly to: string;
  /** File with the mirrors that lead from the payload's names to `from`. */
  readonly mirrors: string;
}

/** A signed driver on an OS image of 1.2 GB: what layering costs, and what the same costs with the tools of today. */
export async function benchLayering(directory: string): Promise<readonly Row[]> {
  const release = readBenchRelease();
  copyStorage(join(directory, 'registry-near/storage'));
  const near = await startRegistryHost(join(directory, 'registry-near'), 1);
  const other = await startRegistryHost(join(directory, 'registry-other'), 2);
  const proxy = startDelayProxy(directory, near.host);
  try {
    const placeAt = (host: string, name: string): Place => {
      const mirrors = join(directory, `mirrors-${name}.yaml`);
      writeMirrors(mirrors, release, host);
      return { release, from: host, to: host, mirrors };
    };
    const here = placeAt(near.host, 'near');
    const there = placeAt(`127.0.0.1:${String(FAR_PORT)}`, 'far');
    const bench = new LayeringBench(directory, near);
    return await bench.run({ here, there, elsewhere: { ...here, to: other.host }, otherRegistry: other });
  } finally {
    proxy.kill('SIGKILL');
    near.stop();
    other.stop();
  }
}

class LayeringBench {
  readonly #directory: string;
  readonly #near: RegistryHost;
  readonly #samples = new Map<string, Sample[]>();
  #step = 0;

  constructor(directory: string, near: RegistryHost) {
    this.#directory = directory;
    this.#near = near;
  }

  async run(places: {
    readonly here: Place;
    readonly there: Place;
    readonly elsewhere: Place;
    readonly otherRegistry: RegistryHost;
  }): Promise<readonly Row[]> {
    const { here, there, elsewhere } = places;
    const cache = join(this.#directory, 'cache-warm');
    rmSync(cache, { recursive: true, force: true });
    // The first run fills the cache and gives the ready layer that the peers without a depmod are handed.
    const layer = this.#readyLayer(here, cache);
    for (let round = 0; round < APPEND_ROUNDS; round++) {
      this.#measure('bare protocol', [this.#bare(here, layer)]);
      this.#measure('kmodlayer, warm index cache', [this.#build(here, cache)]);
      const cold = this.#freshDirectory('cache-cold');
      this.#measure('kmodlayer, cold index cache', [this.#build(here, cold)]);
      this.#measure(`bare protocol, ${String(RTT_MS)} ms away`, [this.#bare(there, layer)]);
      this.#measure(`kmodlayer, ${String(RTT_MS)} ms away`, [this.#build(there, cache)]);
      this.#measure('skopeo + umoci', this.#umoci(here, layer));
    }
    for (let round = 0; round < FULL_ROUNDS; round++) {
      const storage = this.#freshDirectory('podman');
      this.#measure('podman, cold', this.#podman(here, storage));
      this.#measure('podman, warm', this.#podman(here, storage));
      await this.#emptyOther(places.otherRegistry);
      this.#measure('skopeo copy to another registry', [this.#skopeoCopy(elsewhere)]);
      await this.#emptyOther(places.otherRegistry);
      this.#measure(
        'kmodlayer to another registry',
        [this.#build(elsewhere, cache)],
        sumOf(this.#near, places.otherRegistry),
      );
    }
    return this.#rows();
  }

  #rows(): readonly Row[] {
    const goals: Readonly<Record<string, { readonly name: string; readonly goal: number }[]>> = {
      'kmodlayer, cold index cache': [
        { name: 'podman, cold', goal: 30 },
        { name: 'podman, warm', goal: 3 },
        { name: 'skopeo + umoci', goal: 1.5 },
      ],
      'kmodlayer, warm index cache': [
        { name: 'podman, cold', goal: 60 },
        { name: 'podman, warm', goal: 6 },
        { name: 'skopeo + umoci', goal: 4 },
      ],
      [`kmodlayer, ${String(RTT_MS)} ms away`]: [
        { name: `bare protocol, ${String(RTT_MS)} ms away`, goal: 1 / 2 },
      ],
      'kmodlayer to another registry': [{ name: 'skopeo copy to another registry', goal: 1 / 1.5 }],
    };
    return [...this.#samples].map(([name, samples]) => ({ name, samples, against: goals[name] ?? [] }));
  }

  #measure(name: string, commands: readonly Command[], counter: Counter = this.#near.counter): void {
    const sample = measure(commands, { counter, disk: this.#directory });
    this.#samples.set(name, [...(this.#samples.get(name) ?? []), sample]);
    process.stderr.write(`${name}: ${(sample.wallMs / 1000).toFixed(3)} s\n`);
  }

  /** A repository that did not exist. */
  #repository(): string {
    return `bench/run-${String(process.pid)}-${String(++this.#step)}`;
  }

  #freshDirectory(name: string): string {
    const directory = join(this.#directory, name);
    // podman binds its storage onto itself.
    spawnSync('umount', ['--quiet', join(directory, 'root/overlay')]);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  #build({ release, from, to, mirrors }: Place, cache: string): Command {
    const file = join(this.#directory, `spec-${String(++this.#step)}.yaml`);
    const fixtures = resolve('fixtures/quickstart');
    writeFileSync(
      file,
      JSON.stringify({
        apiVersion: 'kmodlayer/v1',
        kind: 'DriverSet',
        metadata: { name: 'hello' },
        targets: { releases: [release.version], releaseRepository: release.releaseRepository },
        drivers: [
          {
            name: 'hello',
            version: '1.0.0',
            source: { files: ['kl_base.ko', 'kl_hello.ko'].map((name) => join(fixtures, 'modules', name)) },
            modules: [{ name: 'kl_base' }, { name: 'kl_hello', autoload: true }],
          },
        ],
        sign: [
          { key: join(fixtures, 'keys/TEST-ONLY.key'), certificate: join(fixtures, 'keys/TEST-ONLY.der') },
        ],
        publish: { osImage: `${to}/${this.#repository()}` },
      }),
    );
    return {
      argv: [
        ...[
          process.execPath,
          resolve('dist/cli/main.js'),
          'build',
          '-f',
          file,
          '-o',
          'json',
          '--quiet',
          '--idms',
          mirrors,
        ],
        ...[...new Set([from, to])].flatMap((host) => ['--insecure-registry', host]),
      ],
      env: { XDG_CACHE_HOME: cache },
    };
  }

  #readyLayer(place: Place, cache: string): string {
    const { argv, env } = this.#build(place, cache);
    const [program = '', ...args] = argv;
    const output = execFileSync(program, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
    const { images } = JSON.parse(output) as { images: { image: string; layer: { digest: string } }[] };
    const [image] = images;
    if (image === undefined) throw new Error(`No image in ${output}`);
    const repository = image.image.slice(image.image.indexOf('/') + 1, image.image.indexOf('@'));
    const file = join(this.#directory, 'layer.tar.gz');
    execFileSync('curl', [
      ...['-sfL', '-o', file],
      `http://${place.to}/v2/${repository}/blobs/${image.layer.digest}`,
    ]);
    writeFileSync(join(this.#directory, 'layer.tar'), gunzipSync(readFileSync(file)));
    return file;
  }

  #bare({ release, from }: Place, layer: string): Command {
    const program = join(this.#directory, 'bare-append.cjs');
    return {
      argv: [
        process.execPath,
        program,
        from,
        release.componentRepository,
        release.osImage,
        this.#repository(),
        layer,
      ],
    };
  }

  #umoci({ release, from, to }: Place, layer: string): readonly Command[] {
    const layout = join(this.#freshDirectory('umoci'), 'layout');
    const tar = layer.replace(/\.gz$/, '');
    return [
      {
        argv: [
          ...['skopeo', 'copy', '--quiet', '--src-tls-verify=false'],
          ...[`docker://${from}/${release.componentRepository}@${release.osImage}`, `oci:${layout}:image`],
        ],
      },
      { argv: ['umoci', 'raw', 'add-layer', '--image', `${layout}:image`, tar] },
      {
        argv: [
          ...['skopeo', 'copy', '--quiet', '--dest-tls-verify=false'],
          ...[`oci:${layout}:image`, `docker://${to}/${this.#repository()}:umoci`],
        ],
      },
    ];
  }

  #podman({ release, from, to }: Place, storage: string): readonly Command[] {
    const context = join(this.#directory, 'podman-context');
    mkdirSync(context, { recursive: true });
    const modules = `/usr/lib/modules/${release.stream.kernelRelease}`;
    for (const name of ['kl_base.ko', 'kl_hello.ko']) {
      writeFileSync(join(context, name), readFileSync(resolve('fixtures/quickstart/modules', name)));
    }
    writeFileSync(
      join(context, 'Containerfile'),
      [
        `FROM ${from}/${release.componentRepository}@${release.osImage}`,
        `COPY kl_base.ko kl_hello.ko ${modules}/extra/hello/`,
        `RUN depmod -a ${release.stream.kernelRelease} && echo kl_hello > /usr/lib/kl_hello.conf`,
        '',
      ].join('\n'),
    );
    const image = `${to}/${this.#repository()}:podman`;
    const podman = ['podman', '--root', join(storage, 'root'), '--runroot', join(storage, 'run')];
    return [
      {
        argv: [
          ...[...podman, 'build', '--quiet', '--no-cache', '--isolation', 'chroot', '--network', 'host'],
          ...['--tls-verify=false', '-t', image, context],
        ],
      },
      { argv: [...podman, 'push', '--quiet', '--tls-verify=false', image] },
    ];
  }

  #skopeoCopy({ release, from, to }: Place): Command {
    return {
      argv: [
        ...['skopeo', 'copy', '--quiet', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[
          `docker://${from}/${release.componentRepository}@${release.osImage}`,
          `docker://${to}/${this.#repository()}:copy`,
        ],
      ],
    };
  }

  async #emptyOther(registry: RegistryHost): Promise<void> {
    rmSync(join(this.#directory, 'registry-other/storage'), { recursive: true, force: true });
    await registry.restart();
  }
}

function sumOf(one: RegistryHost, two: RegistryHost): Counter {
  return () => {
    const [a, b] = [one.counter(), two.counter()];
    return { fromBytes: a.fromBytes + b.fromBytes, toBytes: a.toBytes + b.toBytes };
  };
}

/** Bundles the programs that run as processes of their own, and starts the proxy. */
function startDelayProxy(directory: string, target: string): ChildProcess {
  for (const name of ['bare-append', 'delay-proxy']) {
    execFileSync(resolve('node_modules/.bin/esbuild'), [
      ...[
        resolve('bench', `${name}.ts`),
        '--bundle',
        '--platform=node',
        '--format=cjs',
        '--log-level=warning',
      ],
      `--outfile=${join(directory, `${name}.cjs`)}`,
    ]);
  }
  const [host = '', port = ''] = target.split(':');
  const args = [join(directory, 'delay-proxy.cjs'), String(FAR_PORT), host, port, String(RTT_MS)];
  return spawn(process.execPath, args, { stdio: 'inherit' });
}
