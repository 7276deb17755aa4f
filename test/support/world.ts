import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What `npm run world` made. Written by `test/world/build-world.ts` as `world.json`. */
export interface World {
  /** Host and port of the registry, for instance `127.0.0.1:5443`. The payloads name it. */
  readonly host: string;
  /** `<host>/openshift-release-dev/ocp-release`. */
  readonly releaseRepository: string;
  /** A release that exists a second time, with names of quay.io that only the mirrors of `idms.yaml` serve. */
  readonly mirrored: { readonly version: string; readonly releaseRepository: string };
  readonly releases: readonly WorldRelease[];
  /** Kernel releases, oldest first. */
  readonly kernels: readonly string[];
}

export interface WorldRelease {
  readonly version: string;
  /** By tag, `<releaseRepository>:<version>-x86_64`. */
  readonly pullspec: string;
  readonly digest: string;
  readonly mediaType: string;
  /** Its OS image is as large as a real one; there only after `npm run world -- --bench`. */
  readonly isBench: boolean;
  /** The default stream first. */
  readonly streams: readonly WorldStream[];
}

export interface WorldStream {
  /** `rhel-9` or `rhel-10`. */
  readonly name: string;
  /** How the OS image was made: chunks alone (up to 4.18), or chunks and node layers (from 4.19). */
  readonly format: 'chunked' | 'node-layers';
  readonly osTag: string;
  /** By digest, as the payload has it. */
  readonly osImage: string;
  readonly driverToolkit: string;
  readonly extensions: string;
  readonly kernelRelease: string;
  /** Another kernel than the OS image's in 4.18.6, whose driver-toolkit is broken on purpose. */
  readonly driverToolkitKernelRelease: string;
  /** Absent when the driver-toolkit has no headers of an RT kernel. */
  readonly rtKernelRelease: string | undefined;
  readonly machineOs: string;
  readonly rhelVersion: string;
}

/** Directory of the world: `KMODLAYER_WORLD`, or `.world` in the checkout. */
export function worldDirectory(): string {
  return resolve(process.env['KMODLAYER_WORLD'] ?? join(import.meta.dirname, '../../.world'));
}

/** Says whether the world was set up. */
export function hasWorld(): boolean {
  return existsSync(join(worldDirectory(), 'world.json'));
}

/** @throws {Error} When the world was not set up. */
export function readWorld(): World {
  if (!hasWorld()) throw new Error(`There is no world in ${worldDirectory()}: run "npm run world" as root`);
  return JSON.parse(readFileSync(join(worldDirectory(), 'world.json'), 'utf8')) as World;
}

/** Source of a driver from Debian's `*-dkms` packages (`name` is without that end): a directory with a `dkms.conf`. */
export function worldDriver(name: string): string {
  const parent = join(worldDirectory(), 'drivers', name, 'usr/src');
  const [directory] = readdirSync(parent);
  return join(parent, directory ?? '');
}

/** @throws {Error} When the world has no such release. */
export function worldRelease(version: string): WorldRelease {
  const release = readWorld().releases.find((one) => one.version === version);
  if (release === undefined) throw new Error(`The world has no release ${version}`);
  return release;
}

export interface WorldRegistry {
  readonly host: string;
  readonly caFile: string;
  /** Directory for `podman --cert-dir` and `skopeo --cert-dir`. */
  readonly certDir: string;
  /** ImageDigestMirrorSet and ImageTagMirrorSet from quay.io's names to this registry. */
  readonly mirrorFile: string;
  /** containers-auth.json(5) with the registry's only account, which may push. */
  readonly authFile: string;
  /** `user:password` of that account. */
  readonly credentials: string;
  /** Where the registry keeps its files: a copy that `stop` removes. */
  readonly storage: string;
  /** Lines of the registry's access log since it was started. */
  readonly requests: () => Promise<readonly string[]>;
  readonly stop: () => Promise<void>;
}

/**
 * Starts Debian's `docker-registry` with TLS and htpasswd on a copy of the world's storage, so that what a test pushes
 * is gone with it. Waits while another run has the port.
 */
export async function startWorldRegistry(options: { waitMs?: number } = {}): Promise<WorldRegistry> {
  const world = readWorld();
  const directory = worldDirectory();
  const scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-registry-'));
  const storage = join(scratch, 'storage');
  await copyStorage(join(directory, 'registry'), storage);
  const logFile = join(scratch, 'registry.log');
  const configuration = (await readFile(join(directory, 'registry.yml'), 'utf8')).replace(
    /rootdirectory: .*/,
    `rootdirectory: ${storage}`,
  );
  await writeFile(join(scratch, 'registry.yml'), configuration);

  const child = await startWhenFree(join(scratch, 'registry.yml'), logFile, options.waitMs ?? 900_000);
  const remove = (): void => void child.kill('SIGKILL');
  process.once('exit', remove);
  return {
    host: world.host,
    caFile: join(directory, 'certs/ca.crt'),
    certDir: join(directory, 'certs'),
    mirrorFile: join(directory, 'idms.yaml'),
    authFile: join(directory, 'auth.json'),
    credentials: readFileSync(join(directory, 'credentials'), 'utf8').trim(),
    storage,
    requests: async () => {
      const lines = (await readFile(logFile, 'utf8')).split('\n');
      return lines.filter((line) => / "(?:GET|HEAD|POST|PUT|PATCH|DELETE) /.test(line));
    },
    stop: async () => {
      process.off('exit', remove);
      await stopChild(child);
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** Blobs never change, so they are hard links; the small files that name them are copied. */
async function copyStorage(from: string, to: string): Promise<void> {
  const v2 = 'docker/registry/v2';
  await mkdir(join(to, v2), { recursive: true });
  await run('cp', ['-a', join(from, v2, 'repositories'), join(to, v2, 'repositories')]);
  await run('cp', ['-al', join(from, v2, 'blobs'), join(to, v2, 'blobs')]).catch(() =>
    cp(join(from, v2, 'blobs'), join(to, v2, 'blobs'), { recursive: true }),
  );
}

async function startWhenFree(config: string, logFile: string, waitMs: number): Promise<ChildProcess> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const log = await open(logFile, 'w');
    const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', log.fd, log.fd] });
    await log.close();
    const text = await started(child, logFile);
    if (text === undefined) return child;
    if (!text.includes('address already in use') || Date.now() > deadline) {
      throw new Error(`The registry did not start:\n${text}`);
    }
    await sleep(2_000);
  }
}

/** Undefined once the registry listens, or its log when it ended. */
async function started(child: ChildProcess, logFile: string): Promise<string | undefined> {
  for (;;) {
    const text = await readFile(logFile, 'utf8');
    if (child.exitCode !== null || child.signalCode !== null) return text === '' ? 'no output' : text;
    if (text.includes('listening on')) return undefined;
    await sleep(50);
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
}

/** Serves the world's update graph as the update service does; `url` is what `--graph` takes. */
export async function startWorldGraph(): Promise<{ url: string; stop: () => Promise<void> }> {
  const graph = await readFile(join(worldDirectory(), 'graph.json'));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const isGraph = /^\/api\/upgrades_info\/(?:v1\/)?graph$/.test(url.pathname);
    if (!isGraph || !url.searchParams.has('channel')) {
      response.writeHead(isGraph ? 400 : 404, { 'content-type': 'application/json' });
      response.end(isGraph ? '{"kind":"missing_params","value":"channel"}' : '{"kind":"not_found"}');
      return;
    }
    const hasArch = ['amd64', null].includes(url.searchParams.get('arch'));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(hasArch ? graph : '{"version":1,"nodes":[],"edges":[],"conditionalEdges":[]}');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/upgrades_info/v1/graph`,
    stop: () =>
      new Promise((done) => {
        server.close(() => {
          done();
        });
        server.closeAllConnections();
      }),
  };
}
