import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface BootOptions {
  /** Root filesystem that holds `usr/lib/modules/<kernelRelease>`, for instance from `unpackImage`. */
  readonly root: string;
  readonly kernelRelease: string;
  /** Default: the root's own `usr/lib/modules/<kernelRelease>/vmlinuz`. */
  readonly kernelFile?: string;
  /** Arguments of one `modprobe` each, for instance `kl_hello greeting=hi`. They run in this order. */
  readonly modprobe: readonly string[];
  /** Put every module of the root into the initramfs, not just those that `modprobe` names and needs. */
  readonly isWholeTree?: boolean;
  /** Added to the kernel's command line, for instance `module.sig_enforce=1`. */
  readonly kernelArguments?: readonly string[];
  /** Default: 180 s. Without KVM a boot takes about 5 s on an idle machine. */
  readonly timeoutMs?: number;
}

export interface BootResult {
  readonly loads: readonly LoadResult[];
  /** Names of the modules that were loaded at the end. */
  readonly loadedModules: readonly string[];
  /** Parameters under `/sys/module/<name>/parameters` of the loaded modules that were asked for, as `name.parameter`. */
  readonly parameters: Readonly<Record<string, string>>;
  /** `/proc/sys/kernel/tainted`. */
  readonly tainted: number;
  /** `uname -r` of the kernel that ran. */
  readonly kernelRelease: string;
  /** Kernel log, oldest line first, without time stamps. */
  readonly kernelLog: readonly string[];
  /** All that came over the serial line: what to print when an assertion fails. */
  readonly console: string;
}

export interface LoadResult {
  readonly argument: string;
  /** Exit code of `modprobe`. */
  readonly exitCode: number;
  readonly output: string;
}

/**
 * Boots a real kernel with the root's modules in `qemu-system-x86_64` (no KVM needed) and loads modules by name, with
 * the `modprobe` of this machine and the indexes, `modprobe.d` and modules of the root.
 *
 * @throws {Error} With the console's text when the guest does not come to its end.
 */
export async function bootAndLoad(options: BootOptions): Promise<BootResult> {
  const directory = await mkdtemp(join(tmpdir(), 'kmodlayer-boot-'));
  try {
    const initramfs = await makeInitramfs(directory, options);
    const kernel =
      options.kernelFile ?? join(options.root, 'usr/lib/modules', options.kernelRelease, 'vmlinuz');
    const command = ['console=ttyS0', 'quiet', 'loglevel=3', 'panic=-1', ...(options.kernelArguments ?? [])];
    const args = [
      ...['-accel', 'tcg', '-cpu', 'max', '-m', '768', '-smp', '1'],
      ...['-nodefaults', '-display', 'none', '-no-reboot', '-monitor', 'none'],
      // A file, not a pipe: qemu drops characters when a pipe is full.
      ...['-serial', `file:${join(directory, 'console')}`],
      ...['-kernel', kernel, '-initrd', initramfs, '-append', command.join(' ')],
    ];
    await runGuest(args, join(directory, 'console'), options.timeoutMs ?? 180_000);
    return parseConsole(await readFile(join(directory, 'console'), 'latin1'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runGuest(args: readonly string[], consoleFile: string, timeoutMs: number): Promise<void> {
  const guest = run('qemu-system-x86_64', args, { timeout: timeoutMs, killSignal: 'SIGKILL' });
  guest.child.stdin?.end();
  try {
    await guest;
  } catch (error) {
    const console = await readFile(consoleFile, 'latin1').catch(() => '');
    throw new Error(`The guest failed or took over ${timeoutMs} ms:\n${console}`, { cause: error });
  }
}

/** busybox's shell prefers its own modprobe, which reads neither the .bin indexes nor modprobe.d: kmod's goes by path. */
const INIT = `#!/bin/busybox sh
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
busybox mkdir -p /proc /sys /dev /run /tmp
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
echo "@@begin release"; busybox uname -r; echo "@@end 0"
while IFS= read -r line; do
  echo "@@begin modprobe $line"
  /usr/bin/modprobe $line 2>&1
  echo "@@end $?"
done < /modprobe.list
echo "@@begin modules"; busybox cut -d' ' -f1 /proc/modules; echo "@@end 0"
echo "@@begin parameters"
for file in /sys/module/*/parameters/*; do
  module="\${file#/sys/module/}"; module="\${module%%/*}"
  if busybox grep -qx "$module" /modules.wanted && [ -r "$file" ]; then
    echo "$module.\${file##*/}=$(busybox cat "$file")"
  fi
done
echo "@@end 0"
echo "@@begin tainted"; busybox cat /proc/sys/kernel/tainted; echo "@@end 0"
echo "@@begin dmesg"; busybox dmesg -r; echo "@@end 0"
echo "@@done"
busybox poweroff -f
`;

async function makeInitramfs(directory: string, options: BootOptions): Promise<string> {
  const root = join(directory, 'root');
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  await mkdir(join(root, 'usr/lib64'), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(root, name));
  await symlink('usr/bin', join(root, 'sbin'));
  await cp('/bin/busybox', join(root, 'usr/bin/busybox'), { dereference: true });
  await copyProgram('/usr/bin/kmod', root);
  for (const name of ['modprobe', 'insmod', 'lsmod', 'modinfo'])
    await symlink('kmod', join(root, 'usr/bin', name));
  await copyModules(root, options);
  for (const name of ['usr/lib/modprobe.d', 'etc/modprobe.d']) {
    if (await exists(join(options.root, name))) {
      await cp(join(options.root, name), join(root, name), { recursive: true });
    }
  }
  await writeFile(join(root, 'init'), INIT, { mode: 0o755 });
  await writeFile(join(root, 'modprobe.list'), options.modprobe.map((line) => `${line}\n`).join(''));
  await writeFile(
    join(root, 'modules.wanted'),
    options.modprobe.map((line) => `${moduleName(line)}\n`).join(''),
  );
  const archive = join(directory, 'initramfs.cpio');
  await run('sh', ['-c', 'cd "$1" && find . | cpio --quiet -o -H newc > "$2"', 'sh', root, archive]);
  return archive;
}

/** A program and the libraries that `ldd` names, at the paths where the program looks for them. */
async function copyProgram(program: string, root: string): Promise<void> {
  await cp(program, join(root, 'usr/bin', basename(program)), { dereference: true });
  const { stdout } = await run('ldd', [program]);
  for (const [library] of stdout.matchAll(/\/[^\s]+\.so[^\s]*/g)) {
    const place = join(root, library.replace(/^\/(usr\/)?/, 'usr/'));
    await mkdir(dirname(place), { recursive: true });
    await cp(library, place, { dereference: true });
  }
}

async function copyModules(root: string, options: BootOptions): Promise<void> {
  const from = join(options.root, 'usr/lib/modules', options.kernelRelease);
  const to = join(root, 'usr/lib/modules', options.kernelRelease);
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (name.startsWith('modules.')) await cp(join(from, name), join(to, name));
  }
  const dependencies = parseDependencies(await readFile(join(from, 'modules.dep'), 'utf8'));
  const wanted =
    options.isWholeTree === true ? new Set(dependencies.keys()) : await findNeeded(options, dependencies);
  for (const path of wanted) {
    if (!(await exists(join(from, path)))) continue;
    await mkdir(dirname(join(to, path)), { recursive: true });
    await cp(join(from, path), join(to, path));
  }
}

/** Files of the modules that are asked for, of what they depend on, and of their soft dependencies. */
async function findNeeded(
  options: BootOptions,
  dependencies: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlySet<string>> {
  const byName = new Map([...dependencies.keys()].map((path) => [moduleName(basename(path)), path]));
  const softdeps = await readFile(
    join(options.root, 'usr/lib/modules', options.kernelRelease, 'modules.softdep'),
    'utf8',
  ).catch(() => '');
  const configured = await readConfigurations(options.root);
  const wanted = new Set<string>();
  const queue = options.modprobe.map(moduleName);
  const seen = new Set<string>();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const path = byName.get(name);
    if (path !== undefined) {
      wanted.add(path);
      for (const other of dependencies.get(path) ?? []) queue.push(moduleName(basename(other)));
    }
    for (const [, module = '', rest = ''] of `${softdeps}\n${configured}`.matchAll(
      /^\s*softdep\s+(\S+)\s+(.*)$/gm,
    )) {
      if (moduleName(module) !== name) continue;
      queue.push(
        ...rest
          .split(/\s+/)
          .filter((word) => !word.endsWith(':'))
          .map(moduleName),
      );
    }
  }
  return wanted;
}

async function readConfigurations(root: string): Promise<string> {
  const texts: string[] = [];
  for (const directory of ['usr/lib/modprobe.d', 'etc/modprobe.d']) {
    for (const name of await readdir(join(root, directory)).catch(() => [])) {
      texts.push(await readFile(join(root, directory, name), 'utf8'));
    }
  }
  return texts.join('\n');
}

function parseDependencies(text: string): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const [path, rest] = line.split(':');
    if (path === undefined || rest === undefined) continue;
    result.set(path, rest.split(' ').filter(Boolean));
  }
  return result;
}

/** `kl-hello.ko.xz`, `kl_hello greeting=hi` and `kl-hello` are all `kl_hello`. */
function moduleName(text: string): string {
  return (text.split(/[\s.]/)[0] ?? '').replaceAll('-', '_');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function parseConsole(console: string): BootResult {
  const text = console.replaceAll('\r', '');
  if (!text.includes('@@done')) throw new Error(`The guest did not come to its end:\n${text}`);
  const sections = [...text.matchAll(/@@begin ([^\n]*)\n([\s\S]*?)@@end (\d+)/g)].map(
    ([, title = '', body = '', code = '']) => ({ title, body, code: Number(code) }),
  );
  const bodyOf = (title: string): string =>
    sections.find((section) => section.title === title)?.body.trim() ?? '';
  return {
    loads: sections
      .filter(({ title }) => title.startsWith('modprobe '))
      .map(({ title, body, code }) => ({
        argument: title.slice('modprobe '.length),
        exitCode: code,
        output: body.trim(),
      })),
    loadedModules: bodyOf('modules').split('\n').filter(Boolean),
    parameters: Object.fromEntries(
      bodyOf('parameters')
        .split('\n')
        .filter(Boolean)
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
    ),
    tainted: Number(bodyOf('tainted')),
    kernelRelease: bodyOf('release'),
    kernelLog: bodyOf('dmesg')
      .split('\n')
      .map((line) => line.replace(/^<\d+>(\[[^\]]*\] )?/, '')),
    console: text,
  };
}
