import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where packages are kept between runs. */
const CACHE = process.env['DEPMOD_CACHE'] ?? join(tmpdir(), 'kmodlayer-depmod');

/** A kernel's module tree, as the distribution ships it. */
export interface KernelTree {
  readonly kernelRelease: string;
  /** Directory that holds `kernel/`, `modules.order`, `modules.builtin` and `modules.builtin.modinfo`. */
  readonly directory: string;
}

/** The newest 6.1 kernel of Debian for an architecture, unpacked but not installed. */
export async function fetchKernel(arch: 'amd64' | 'arm64' | 'ppc64el' | 's390x'): Promise<KernelTree> {
  const flavour = arch === 'ppc64el' ? 'powerpc64le' : arch;
  const apt = arch === 'amd64' ? [] : await foreignApt(arch, ['bookworm', 'bookworm-updates']);
  const pattern = `^linux-image-6\\.1\\.0-[0-9]+-${flavour}(-unsigned)?$`;
  const { stdout } = await run('apt-cache', [...apt, 'search', '--names-only', pattern]);
  const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  const newest = names.filter((name) => name !== '').sort(byNumber)[0];
  if (newest === undefined) throw new Error(`no kernel for ${arch} in the package index`);
  const root = await unpack(`${newest}-${arch}`, apt, [newest]);
  const kernelRelease = newest.replace(/^linux-image-/, '').replace(/-unsigned$/, '');
  return { kernelRelease, directory: join(root, 'lib/modules', kernelRelease) };
}

/** Command line of a depmod that is newer than the machine's: kmod 34, with the C library it was built for. */
export async function fetchNewDepmod(): Promise<readonly string[]> {
  const apt = await foreignApt('amd64', ['trixie']);
  const packages = ['kmod', 'libkmod2', 'libc6', 'libssl3t64', 'libzstd1', 'liblzma5', 'zlib1g'];
  const root = await unpack('kmod-trixie', apt, packages);
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  return [loader, '--library-path', libraries, '--argv0', 'depmod', join(root, 'usr/bin/kmod')];
}

function byNumber(left: string, right: string): number {
  const numberOf = (name: string): number => Number(/6\.1\.0-(\d+)/.exec(name)?.[1] ?? 0);
  return numberOf(right) - numberOf(left) || left.length - right.length;
}

/** Downloads packages and unpacks them into one directory, once. */
async function unpack(name: string, apt: readonly string[], packages: readonly string[]): Promise<string> {
  const root = join(CACHE, name);
  if (existsSync(root)) return root;
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(join(CACHE, 'unpacking-'));
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
  const home = join(CACHE, `apt-${arch}-${suites.join('-')}`);
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
