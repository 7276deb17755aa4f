import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { MachineConfig } from '../../src/manifests/machine-config.ts';
import { worldDirectory } from './world.ts';

/** How a script ended. */
export interface Ended {
  readonly code: number;
  /** What it printed, both outputs as they came. */
  readonly output: string;
}

/**
 * A directory that stands in for a node: real podman with a storage of its own, and the files of a MachineConfig. What
 * would change this machine is recorded instead: `reboot`, and changes of its kernel, which take place in `sys`.
 */
export interface Day1Node {
  readonly root: string;
  /** Runs a file of the MachineConfig as its unit does. */
  readonly run: (
    path: string,
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ) => Promise<Ended>;
  /** What was asked of systemctl, insmod, rmmod and modprobe, in order. */
  readonly calls: () => readonly string[];
  readonly forgetCalls: () => void;
  /** Says that a module is loaded. */
  readonly setLoaded: (module: string) => void;
  /** Nobody listens where a registry that is not up is looked for. */
  readonly setRegistryUp: (isUp: boolean) => void;
  readonly podman: (...args: readonly string[]) => string;
  readonly remove: () => void;
}

export interface Day1NodeOptions {
  /** What `uname -r` prints. */
  readonly kernel: string;
  /** Registry that has a certificate of its own. */
  readonly registry: string;
  /** Exit codes of programs that are to fail, by call, for instance `insmod kl_hello`. */
  readonly failing?: Readonly<Record<string, number>>;
}

/** @see Day1Node */
export function makeDay1Node({ kernel, registry, failing = {} }: Day1NodeOptions): Day1Node {
  const root = mkdtempSync(join(tmpdir(), 'kmodlayer-node-'));
  const at = (...names: readonly string[]): string => join(root, ...names);
  for (const directory of ['bin', 'sys/module/firmware_class/parameters', 'lib/modules', 'run', 'fail']) {
    mkdirSync(at(directory), { recursive: true });
  }
  for (const [call, code] of Object.entries(failing)) {
    writeFileSync(at('fail', call.replaceAll(' ', '_')), String(code));
  }
  const program = (name: string, body: string): void => {
    writeFileSync(at('bin', name), `#!/bin/bash\n${body}\n`, { mode: 0o755 });
  };
  program('uname', `echo '${kernel}'`);
  // The recorders: what they do to the kernel they do to directories of "sys".
  const record = `echo "\${0##*/} $*" >>'${at('calls')}'
fail() { local file='${at('fail')}'/"\${0##*/}_$1"; if [ -e "$file" ]; then exit "$(cat "$file")"; fi; }`;
  program('systemctl', `${record}\ncat '${at('systemctl')}' 2>/dev/null || true`);
  program(
    'insmod',
    `${record}\nname=\${1##*/}; name=\${name%%.*}; fail "$name"\n[ -f "$1" ] && mkdir '${at('sys/module')}'/"\${name//-/_}"`,
  );
  program('rmmod', `${record}\nfail "$1"\nrmdir '${at('sys/module')}'/"$1"`);
  program(
    'modprobe',
    `${record}\nif [ "$1" = -r ]; then fail "$2"; rmdir '${at('sys/module')}'/"$2"; else fail "$1"; mkdir -p '${at('sys/module')}'/"$1"; fi`,
  );
  writeFileSync(at('storage.conf'), storageOf(root));
  // Hosts may forbid what the defaults want: more open files, and cgroups that systemd manages.
  writeFileSync(
    at('containers.conf'),
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n' +
      '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
  );
  const setRegistryUp = (isUp: boolean): void => {
    const location = isUp ? registry : '127.0.0.1:1';
    writeFileSync(
      at('registries.conf'),
      `[[registry]]\nprefix = "${registry}"\nlocation = "${location}"\ninsecure = true\n`,
    );
  };
  setRegistryUp(true);
  const env = {
    ...process.env,
    PATH: `${at('bin')}:${process.env['PATH'] ?? ''}`,
    CONTAINERS_CONF: at('containers.conf'),
    CONTAINERS_STORAGE_CONF: at('storage.conf'),
    CONTAINERS_REGISTRIES_CONF: at('registries.conf'),
    AUTH_FILE: join(worldDirectory(), 'auth.json'),
    DAY1_RUN_DIRECTORY: at('run/kmm'),
    DAY1_SYS_DIRECTORY: at('sys'),
    KMODS_RUN: at('run/kmods'),
    KMODS_SYS: at('sys'),
    KMODS_MODULES: at('lib/modules'),
    DAY1_MODULES_DIRECTORY: at('lib/modules'),
    KMODS_FIRST_DELAY: '1',
    FIRST_DELAY_SECONDS: '1',
    KMODLAYER_SETTINGS: at('etc/kmodlayer'),
    KMODLAYER_LIBRARY: at('usr/local/lib/kmodlayer'),
    KVC_SETTINGS: at('etc/kvc'),
    KVC_LIBRARIES: at('usr/local/lib/kvc'),
  };
  const podman = (...args: readonly string[]): string =>
    execFileSync('podman', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return {
    root,
    podman,
    setRegistryUp,
    run: (path, args, more = {}) =>
      ended(
        spawn('bash', [at(path), ...args], { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] }),
      ),
    // podman asks for the file system of its storage by itself.
    calls: () =>
      existsSync(at('calls'))
        ? readFileSync(at('calls'), 'utf8')
            .split('\n')
            .filter((call) => call !== '' && call !== 'modprobe overlay')
        : [],
    forgetCalls: () => {
      rmSync(at('calls'), { force: true });
    },
    setLoaded: (module) => {
      mkdirSync(at('sys/module', module), { recursive: true });
    },
    remove: () => {
      podman('rm', '--all', '--force');
      podman('rmi', '--all', '--force');
      podman('image', 'umount', '--all', '--force');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Puts the files of a MachineConfig where Ignition would, below the root of the node. */
export function applyFiles(node: Day1Node, { spec: { config } }: MachineConfig): void {
  for (const { path, mode, contents } of config.storage?.files ?? []) {
    const file = join(node.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(contents.source.replace(/^[^,]*,/, ''), 'base64'));
    chmodSync(file, mode);
  }
}

function storageOf(root: string): string {
  return `[storage]\ndriver = "overlay"\ngraphroot = "${root}/graph"\nrunroot = "${root}/run/podman"\n`;
}

function ended(child: ChildProcess): Promise<Ended> {
  return new Promise((done, failed) => {
    let output = '';
    const add = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout?.on('data', add);
    child.stderr?.on('data', add);
    child.on('error', failed);
    child.on('close', (code) => {
      done({ code: code ?? -1, output });
    });
  });
}

/** Builds an image from files by their path in it, and pushes it. Returns its digest. */
export function pushImage(
  node: Day1Node,
  name: string,
  { files, entrypoint }: { files: Readonly<Record<string, Buffer | string>>; entrypoint?: string },
): string {
  const context = mkdtempSync(join(tmpdir(), 'kmodlayer-context-'));
  try {
    mkdirSync(join(context, 'root/bin'), { recursive: true });
    writeFileSync(join(context, 'root/bin/busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
    symlinkSync('busybox', join(context, 'root/bin/sh'));
    for (const [path, content] of Object.entries(files)) {
      const file = join(context, 'root', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content, { mode: path.endsWith('.ko') ? 0o644 : 0o755 });
    }
    writeFileSync(join(context, 'Containerfile'), 'FROM scratch\nCOPY root /\n');
    if (entrypoint !== undefined) {
      appendFileSync(join(context, 'Containerfile'), `ENTRYPOINT ["${entrypoint}"]\n`);
    }
    node.podman('build', '--quiet', '--isolation', 'chroot', '--network', 'host', '--tag', name, context);
    const digestFile = join(context, 'digest');
    const authFile = join(worldDirectory(), 'auth.json');
    node.podman('push', '--quiet', '--authfile', authFile, '--digestfile', digestFile, name);
    node.podman('rmi', '--force', name);
    return readFileSync(digestFile, 'utf8').trim();
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}
