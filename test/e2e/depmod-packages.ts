import { execFile } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { worldDirectory } from '../support/world.ts';

const run = promisify(execFile);

/** Where packages are kept between runs. */
export const DEPMOD_CACHE = process.env['DEPMOD_CACHE'] ?? join(worldDirectory(), 'depmod');

export type KernelArch = 'amd64' | 'arm64' | 'ppc64el' | 's390x';

/** A kernel's module tree, as the distribution ships it. */
export interface KernelTree {
  readonly kernelRelease: string;
  /** Directory that holds `kernel/`, `modules.order`, `modules.builtin` and `modules.builtin.modinfo`. */
  readonly directory: string;
}

/** A real depmod, and what sets it apart. */
export interface RealDepmod {
  readonly name: string;
  /** Major version of kmod. */
  readonly version: 28 | 30 | 34;
  /** Command line that its arguments follow. */
  readonly command: readonly string[];
  /** Byte order of the machine that it runs on. */
  readonly byteOrder: 'little' | 'big';
}

const BOOKWORM = ['bookworm', 'bookworm-updates'];

/** The newest 6.1 kernel of Debian for an architecture, unpacked but not installed. */
export async function fetchKernel(arch: KernelArch): Promise<KernelTree> {
  const flavour = arch === 'ppc64el' ? 'powerpc64le' : arch;
  const apt = arch === 'amd64' ? [] : await foreignApt(arch, BOOKWORM);
  const pattern = `^linux-image-6\\.1\\.0-[0-9]+-${flavour}(-unsigned)?$`;
  const { stdout } = await run('apt-cache', [...apt, 'search', '--names-only', pattern]);
  const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  const newest = names.filter((name) => name !== '').sort(byNumber)[0];
  if (newest === undefined) throw new Error(`no kernel for ${arch} in the package index`);
  const root = await unpack(`${newest}-${arch}`, apt, [newest]);
  const kernelRelease = newest.replace(/^linux-image-/, '').replace(/-unsigned$/, '');
  return { kernelRelease, directory: join(root, 'lib/modules', kernelRelease) };
}

/** The machine's own depmod: kmod 30 on Debian 12. */
export const KMOD_30: RealDepmod = { name: 'kmod 30', version: 30, command: ['depmod'], byteOrder: 'little' };

/** kmod 34, which lays binary indexes out anew and knows weak dependencies. */
export async function fetchKmod34(): Promise<RealDepmod> {
  const packages = ['kmod', 'libkmod2', 'libc6', 'libssl3t64', 'libzstd1', 'liblzma5', 'zlib1g'];
  const root = await unpack('kmod-34', await foreignApt('amd64', ['trixie']), packages);
  return { name: 'kmod 34', version: 34, command: foreignKmod(root), byteOrder: 'little' };
}

/** kmod 28, which RHEL 9 has: it knows no `external` and no `exclude`. */
export async function fetchKmod28(): Promise<RealDepmod> {
  const packages = ['kmod', 'libkmod2', 'libc6', 'libssl1.1', 'libzstd1', 'liblzma5', 'zlib1g'];
  const root = await unpack('kmod-28', await foreignApt('amd64', ['bullseye']), packages);
  return { name: 'kmod 28', version: 28, command: foreignKmod(root), byteOrder: 'little' };
}

/** kmod 30 as an s390x runs it, whose numbers have the highest byte first. */
export async function fetchBigEndianKmod(): Promise<RealDepmod> {
  const emulator = await unpack('qemu-user', [], ['qemu-user-static']);
  const packages = ['kmod', 'libkmod2', 'libc6', 'libssl3', 'libzstd1', 'liblzma5', 'zlib1g'];
  const root = await unpack('kmod-30-s390x', await foreignApt('s390x', BOOKWORM), packages);
  const command = [join(emulator, 'usr/bin/qemu-s390x-static'), '-L', root, linkDepmod(root)];
  return { name: 'kmod 30 of s390x', version: 30, command, byteOrder: 'big' };
}

/** Runs a foreign kmod with the C library that it was built for. */
function foreignKmod(root: string): readonly string[] {
  const directories = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((path) => join(root, path));
  const loader = directories
    .map((path) => join(path, 'ld-linux-x86-64.so.2'))
    .find((path) => existsSync(path));
  if (loader === undefined) throw new Error(`no loader below ${root}`);
  return [loader, '--library-path', directories.join(':'), linkDepmod(root)];
}

/** kmod is the command that its file is called. */
function linkDepmod(root: string): string {
  const link = join(root, 'depmod');
  const kmod = ['usr/bin/kmod', 'bin/kmod'].find((path) => existsSync(join(root, path)));
  if (kmod === undefined) throw new Error(`no kmod below ${root}`);
  if (!existsSync(link)) symlinkSync(kmod, link);
  return link;
}

/** Packages of Debian 12 for an architecture, unpacked into one directory; dependencies are not followed. */
export async function fetchPackages(
  name: string,
  arch: 'amd64' | 'arm64' | 'ppc64el' | 's390x',
  packages: readonly string[],
): Promise<string> {
  return unpack(name, await foreignApt(arch, ['bookworm', 'bookworm-updates']), packages);
}

function byNumber(left: string, right: string): number {
  const numberOf = (name: string): number => Number(/6\.1\.0-(\d+)/.exec(name)?.[1] ?? 0);
  return numberOf(right) - numberOf(left) || left.length - right.length;
}

/** Downloads packages and unpacks them into one directory, once. */
async function unpack(name: string, apt: readonly string[], packages: readonly string[]): Promise<string> {
  const root = join(DEPMOD_CACHE, name);
  if (existsSync(root)) return root;
  await mkdir(DEPMOD_CACHE, { recursive: true });
  const directory = await mkdtemp(join(DEPMOD_CACHE, 'unpacking-'));
  await run('apt-get', [...apt, 'download', ...packages], { cwd: directory });
  const archives = (await readdir(directory)).filter((file) => file.endsWith('.deb'));
  for (const archive of archives) {
    await run('dpkg', ['-x', archive, 'root'], { cwd: directory });
    await rm(join(directory, archive));
  }
  await rename(join(directory, 'root'), root);
  await rm(directory, { recursive: true });
  return root;
}

/** Options of an apt that knows another architecture or suite, and leaves the machine's own settings alone. */
async function foreignApt(arch: string, suites: readonly string[]): Promise<readonly string[]> {
  const home = join(DEPMOD_CACHE, `apt-${arch}-${suites.join('-')}`);
  const options = [
    ['APT::Architecture', arch],
    ['APT::Architectures', arch],
    ['APT::Sandbox::User', 'root'],
    ['Dir::Etc::sourcelist', '/dev/null'],
    ['Dir::Etc::sourceparts', join(home, 'etc')],
    ['Dir::State', join(home, 'state')],
    ['Dir::State::lists', join(home, 'lists')],
    ['Dir::State::status', join(home, 'status')],
    ['Dir::Cache', join(home, 'cache')],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  if (existsSync(join(home, 'lists/lock'))) return options;
  for (const part of ['etc', 'state', 'lists/partial', 'cache/archives/partial']) {
    await mkdir(join(home, part), { recursive: true });
  }
  await writeFile(join(home, 'status'), '');
  await writeFile(
    join(home, 'etc/debian.sources'),
    [
      'Types: deb',
      `URIs: ${await archiveUri()}`,
      `Suites: ${suites.join(' ')}`,
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ].join('\n'),
  );
  await run('apt-get', [...options, 'update']);
  return options;
}

/** Where this machine gets Debian's own packages from, so that a mirror or a proxy of its owner is used here too. */
async function archiveUri(): Promise<string> {
  const { stdout } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(CODENAME) $(ORIGIN) $(LABEL)',
  ]);
  const { VERSION_CODENAME } = await osRelease();
  const line = stdout.split('\n').find((text) => text.endsWith(` ${VERSION_CODENAME} Debian Debian`));
  if (line === undefined)
    throw new Error(`apt has no source of Debian ${VERSION_CODENAME}: run "apt-get update"`);
  return line.split(' ')[0] ?? '';
}

async function osRelease(): Promise<{ readonly VERSION_CODENAME: string }> {
  const text = await readFile('/etc/os-release', 'utf8');
  return { VERSION_CODENAME: /^VERSION_CODENAME=(.*)$/m.exec(text)?.[1] ?? '' };
}
