import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface UnpackOptions {
  /** As skopeo names it: `docker://host/repo@sha256:...`, `oci:DIR:TAG`, `dir:DIR`. */
  readonly image: string;
  /** Directory that is made; it must not exist. */
  readonly to: string;
  readonly certDir?: string;
  readonly authFile?: string;
}

/**
 * Unpacks an image to a root filesystem with skopeo and umoci, which apply layers, hard links and whiteouts as a
 * container engine does. Needs root.
 */
export async function unpackImage(options: UnpackOptions): Promise<void> {
  await mkdir(dirname(options.to), { recursive: true });
  const scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-unpack-'));
  try {
    await run('skopeo', [
      'copy',
      '--quiet',
      ...(options.certDir === undefined ? [] : ['--src-cert-dir', options.certDir]),
      ...(options.authFile === undefined ? [] : ['--src-authfile', options.authFile]),
      options.image,
      `oci:${scratch}/layout:image`,
    ]);
    await run('umoci', ['raw', 'unpack', '--image', `${scratch}/layout:image`, options.to], {
      maxBuffer: 64 * 1024 ** 2,
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export interface DepmodVerdict {
  /** Index files that the real depmod would have written differently; empty when the root is right. */
  readonly changed: readonly string[];
  /** Index files that were compared. */
  readonly compared: readonly string[];
  /** What depmod printed. */
  readonly output: string;
}

/**
 * Runs the real `depmod -a` on a root filesystem with the root's own depmod.d and says which index files it changed.
 * The root keeps what depmod wrote.
 */
export async function judgeWithDepmod(root: string, kernelRelease: string): Promise<DepmodVerdict> {
  const directory = join(root, 'usr/lib/modules', kernelRelease);
  const before = await readIndexes(directory);
  const { stdout, stderr } = await run('depmod', [
    '-a',
    ...['-b', root],
    ...['-C', join(root, 'usr/lib/depmod.d')],
    kernelRelease,
  ]);
  const after = await readIndexes(directory);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return {
    changed: names.filter((name) => before.get(name)?.equals(after.get(name) ?? Buffer.alloc(0)) !== true),
    compared: names,
    output: stdout + stderr,
  };
}

async function readIndexes(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('modules.'));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)),
  );
}
