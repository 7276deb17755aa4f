import { execFile, spawn } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An image of the layout, and the name that it gets in the registry, without the host. */
export interface Push {
  readonly digest: string;
  readonly to: string;
}

/**
 * Starts the registry on the world's own storage, pushes images with skopeo, digests unchanged, and stops it. It has a
 * port of its own for that, so that the tests of another world may run meanwhile.
 */
export async function fillRegistry(world: string, host: string, pushes: readonly Push[]): Promise<void> {
  mkdirSync(join(world, 'registry'), { recursive: true });
  const scratch = mkdtempSync(join(world, 'fill-'));
  const ownHost = `127.0.0.1:${await findFreePort()}`;
  for (const name of ['registry.yml', 'auth.json']) {
    const text = readFileSync(join(world, name), 'utf8').replace(host, ownHost);
    writeFileSync(join(scratch, name), text, { mode: 0o600 });
  }
  const registry = spawn('docker-registry', ['serve', join(scratch, 'registry.yml')], { stdio: 'ignore' });
  try {
    await untilItAnswers(world, ownHost, () => registry.exitCode !== null);
    for (const [index, { digest, to }] of pushes.entries()) {
      const directory = linkImage(join(world, 'layout'), digest, join(scratch, `image-${index}`));
      await run('skopeo', [
        ...['copy', '--quiet', '--preserve-digests'],
        ...['--authfile', join(scratch, 'auth.json'), '--dest-cert-dir', join(world, 'certs')],
        ...[`dir:${directory}`, `docker://${ownHost}/${to}`],
      ]);
    }
  } finally {
    const ended = new Promise((done) => registry.once('exit', done));
    if (registry.exitCode === null && registry.kill('SIGTERM')) await ended;
    rmSync(scratch, { recursive: true, force: true });
  }
}

function findFreePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        done(port);
      });
    });
  });
}

/** An image as skopeo's `dir:` has it, made of hard links. Its `oci:` refuses manifests of Docker's family. */
function linkImage(layout: string, digest: string, directory: string): string {
  const blobs = join(layout, 'blobs/sha256');
  const hexOf = (text: string): string => text.slice('sha256:'.length);
  mkdirSync(directory);
  linkSync(join(blobs, hexOf(digest)), join(directory, 'manifest.json'));
  writeFileSync(join(directory, 'version'), 'Directory Transport Version: 1.1\n');
  const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  const digests = [manifest.config, ...manifest.layers].map((blob) => hexOf(blob.digest));
  for (const hex of new Set(digests)) linkSync(join(blobs, hex), join(directory, hex));
  return directory;
}

async function untilItAnswers(world: string, host: string, hasEnded: () => boolean): Promise<void> {
  const ca = readFileSync(join(world, 'certs/ca.crt'));
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (hasEnded()) throw new Error(`The registry ended before it answered on ${host}`);
    if (await answers(`https://${host}/v2/`, ca)) return;
    await sleep(100);
  }
  throw new Error(`The registry does not answer on ${host}`);
}

function answers(url: string, ca: Buffer): Promise<boolean> {
  return new Promise((done) => {
    get(url, { ca }, (response) => {
      response.resume();
      done(true);
    }).on('error', () => {
      done(false);
    });
  });
}
