import { execFile, spawn } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An image of the layout, and the name that it gets in the registry, without the host. */
export interface Push {
  readonly digest: string;
  readonly to: string;
}

/** Starts the registry on the world's own storage, pushes images with skopeo, digests unchanged, and stops it. */
export async function fillRegistry(world: string, host: string, pushes: readonly Push[]): Promise<void> {
  mkdirSync(join(world, 'registry'), { recursive: true });
  const registry = spawn('docker-registry', ['serve', join(world, 'registry.yml')], { stdio: 'ignore' });
  try {
    await untilItAnswers(world, host, () => registry.exitCode !== null);
    for (const { digest, to } of pushes) {
      const directory = linkImage(join(world, 'layout'), digest, mkdtempSync(join(world, 'push-')));
      await run('skopeo', [
        ...['copy', '--quiet', '--preserve-digests'],
        ...['--authfile', join(world, 'auth.json'), '--dest-cert-dir', join(world, 'certs')],
        ...[`dir:${directory}`, `docker://${host}/${to}`],
      ]);
      rmSync(directory, { recursive: true });
    }
  } finally {
    const ended = new Promise((done) => registry.once('exit', done));
    if (registry.exitCode === null && registry.kill('SIGTERM')) await ended;
  }
}

/** An image as skopeo's `dir:` has it, made of hard links. Its `oci:` refuses manifests of Docker's family. */
function linkImage(layout: string, digest: string, directory: string): string {
  const blobs = join(layout, 'blobs/sha256');
  const hexOf = (text: string): string => text.slice('sha256:'.length);
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
    if (hasEnded()) throw new Error(`The registry ended: is ${host} in use?`);
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
