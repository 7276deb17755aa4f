import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Layout } from '../world/layout.ts';
import { entriesOf, fileEntry, type TarEntry } from '../world/tar.ts';
import type { DebianRegistry } from './debian-registry.ts';
import type { DebianKernel } from './kernels.ts';

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, '../node-vm/source');
/** What the out-of-tree e1000e says it is; the in-tree one has no version. */
export const NIC_VERSION = '99.1-out-of-tree';
export const FIRMWARE = 'firmware of an out-of-tree driver\n';

/** Out-of-tree modules for a kernel. */
export interface NodeModules {
  readonly kernelRelease: string;
  /** Replaces the in-tree `dummy`: with parameters, firmware and a need of the in-tree `crc-itu-t`. */
  readonly dummy: Buffer;
  /** Needs `dummy`. */
  readonly dummyExtra: Buffer;
  /** The kernel's own driver of the machine's network card, as its vendor might ship it. */
  readonly e1000e: Buffer;
}

/** Compiles the modules with Debian's headers. */
export async function compileNodeModules(kernel: DebianKernel): Promise<NodeModules> {
  const place = mkdtempSync(join(tmpdir(), 'kmodlayer-modules-'));
  try {
    cpSync(SOURCE, place, { recursive: true });
    const headers = dirname(kernel.symvers);
    const common = readdirSync(dirname(headers)).find((name) => /-common(-rt)?$/.test(name)) ?? '';
    // Debian's Makefile of a flavour includes the common one by its absolute path, where it is not.
    const makefile = join(dirname(headers), common, 'Makefile');
    await run('make', ['-s', '-C', headers, '-f', makefile, `M=${place}`, 'modules'], { maxBuffer: 2 ** 24 });
    const found = readdirSync(kernel.modules, { recursive: true, encoding: 'utf8' });
    const nic = found.find((path) => basename(path) === 'e1000e.ko') ?? 'e1000e.ko';
    const version = `version=${NIC_VERSION}\0srcversion=0123456789ABCDEF0123456\0`;
    execFileSync('objcopy', [
      '-O',
      'binary',
      '--only-section=.modinfo',
      '--set-section-flags',
      '.modinfo=alloc',
      join(kernel.modules, nic),
      join(place, 'modinfo'),
    ]);
    const modinfo = readFileSync(join(place, 'modinfo'), 'latin1').replace('intree=Y\0', version);
    writeFileSync(join(place, 'modinfo'), modinfo, 'latin1');
    execFileSync('objcopy', [
      '--update-section',
      `.modinfo=${join(place, 'modinfo')}`,
      join(kernel.modules, nic),
      join(place, 'e1000e.ko'),
    ]);
    execFileSync('strip', ['--strip-debug', join(place, 'dummy.ko'), join(place, 'dummy_extra.ko')]);
    const moduleOf = (name: string): Buffer => readFileSync(join(place, name));
    return {
      kernelRelease: kernel.release,
      dummy: moduleOf('dummy.ko'),
      dummyExtra: moduleOf('dummy_extra.ko'),
      e1000e: moduleOf('e1000e.ko'),
    };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

export interface KmodImageOptions {
  readonly registry: DebianRegistry;
  /** In the registry, for instance `acme/dummy`. */
  readonly repository: string;
  readonly tag: string;
  /** Files below `/opt/lib/modules/<kernelRelease>` by path; `depmod` is run when there are `indexesFor`. */
  readonly modules: Readonly<Record<string, Buffer>>;
  readonly kernelRelease: string;
  /** Root with the kernel's modules: the image then has indexes that name them below `host/`, as KMM's images do. */
  readonly indexesFor?: DebianKernel;
  readonly firmware?: Readonly<Record<string, string>>;
}

/** Pushes a kmod image and says its digest. */
export async function pushKmodImage(options: KmodImageOptions): Promise<string> {
  const { registry, repository, tag, modules, kernelRelease, indexesFor, firmware = {} } = options;
  const scratch = mkdtempSync(join(tmpdir(), 'kmodlayer-image-'));
  try {
    const tree = join(scratch, 'root/opt/lib/modules', kernelRelease);
    for (const [path, bytes] of Object.entries(modules)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), bytes);
    }
    if (indexesFor !== undefined) {
      execFileSync('ln', ['-s', dirname(indexesFor.modules), join(tree, 'host')]);
      execFileSync('depmod', ['-b', join(scratch, 'root/opt'), kernelRelease], { stdio: 'pipe' });
      rmSync(join(tree, 'host'));
      symlinkSync(`/lib/modules/${kernelRelease}`, join(tree, 'host'));
    }
    return await pushEntries(registry, `${repository}:${tag}`, function* () {
      yield* entriesOf(join(scratch, 'root'));
      for (const [path, text] of Object.entries(firmware)) yield fileEntry(`firmware/${path}`, text);
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What KMM's worker has of an OS, as far as its stand-in needs it. */
const WORKER_PROGRAMS = ['/bin/sh', '/bin/sed', '/bin/cp', '/bin/mkdir'];

/**
 * Pushes a stand-in of KMM's worker and says its digest: `kmod load` with this machine's own kmod, in a root that holds
 * nothing else.
 */
export async function pushWorkerImage(registry: DebianRegistry, name: string): Promise<string> {
  const files = new Map<string, Buffer>([
    ['bin/kmod', readFileSync(join(import.meta.dirname, '../node-vm/worker.sh'))],
    ['sbin/modprobe', readFileSync('/bin/kmod')],
  ]);
  for (const program of WORKER_PROGRAMS) files.set(program.slice(1), readFileSync(program));
  for (const program of [...WORKER_PROGRAMS, '/bin/kmod']) {
    const output = execFileSync('ldd', [program], { encoding: 'utf8' });
    for (const [library] of output.matchAll(/\/\S+/g)) files.set(library.slice(1), readFileSync(library));
  }
  return pushEntries(registry, name, function* () {
    for (const [path, bytes] of [...files].sort()) yield fileEntry(path, bytes, 0o755);
  });
}

/** Pushes an image of one layer and says its digest. */
async function pushEntries(
  registry: DebianRegistry,
  name: string,
  entries: () => Generator<TarEntry>,
): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'kmodlayer-layout-'));
  try {
    const layout = new Layout(scratch);
    const layer = await layout.writeLayer('files', entries);
    await layout.writeImage({
      layers: [{ layer, createdBy: 'COPY files' }],
      labels: {},
      family: 'oci',
      created: '2026-01-01T00:00:00Z',
      name: 'image',
    });
    return await pushLayout(registry, scratch, name);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Pushes the image `image` of a layout and says its digest. */
async function pushLayout(registry: DebianRegistry, layout: string, name: string): Promise<string> {
  const digestFile = join(layout, 'digest');
  await run('skopeo', [
    ...['copy', '--quiet', '--dest-tls-verify=false', '--digestfile', digestFile],
    ...(registry.authFile === undefined ? [] : ['--dest-authfile', registry.authFile]),
    ...[`oci:${layout}:image`, `docker://${registry.host}/${name}`],
  ]);
  return readFileSync(digestFile, 'utf8').trim();
}
