import type { InitramfsEntry } from '../../layer/initramfs/write-cpio.ts';
import { findElfNeeds } from './elf-needs.ts';
import { follow, type Found, type Root } from './root.ts';

/** What `guest/init.sh` calls, each in the directories of its search path; of alternatives, the first that is there. */
const PROGRAMS: readonly (readonly string[])[] = [
  ['mount', 'busybox'],
  ['cat'],
  ['modprobe'],
  ['insmod'],
  ['rmmod'],
  ['lsmod'],
];

const SHELL = '/bin/sh';
const PROGRAM_DIRECTORIES = ['usr/sbin', 'usr/bin', 'sbin', 'bin'];

/** Where the dynamic linker looks when nothing else is said: distributions with and without `lib64`, and Debian. */
const LIBRARY_DIRECTORIES = ['lib64', 'usr/lib64', 'lib', 'usr/lib'];

/** Directories that are links to those of the same name below `/usr`, today, and which need not be known. */
const TOP_DIRECTORIES = ['bin', 'sbin', 'lib', 'lib64'];

/** Most files of a userland: four programs have some twenty. */
const MAX_FILES = 300;

export interface Userland {
  readonly entries: readonly InitramfsEntry[];
  /** What was not found: paths of programs, names of libraries. */
  readonly missing: readonly string[];
}

/**
 * A shell, mount, cat and kmod out of a root, and the libraries that they need, each at its own path and with the links
 * that lead to it.
 *
 * @throws {BootError} `USERLAND_INVALID`.
 */
export async function collectUserland(root: Root): Promise<Userland> {
  const files = new Map<string, Uint8Array>();
  const links = new Map<string, string>();
  const missing = new Set<string>();
  const pending: Found[] = [];
  const take = (found: Found | undefined): boolean => {
    if (found === undefined) return false;
    for (const [path, target] of found.links) links.set(path, target);
    if (!files.has(found.path) && files.size < MAX_FILES) {
      files.set(found.path, found.bytes);
      pending.push(found);
    }
    return true;
  };

  if (!take(await followAbsolute(root, SHELL))) missing.add(SHELL);
  for (const names of PROGRAMS) {
    if (!take(await findProgram(root, names))) missing.add(`/usr/bin/${names[0] ?? ''}`);
  }
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    const interpreter = interpreterOf(file.bytes);
    if (interpreter !== undefined && !take(await followAbsolute(root, interpreter))) missing.add(interpreter);
    const needs = findElfNeeds(file.bytes);
    const ownPath = needs?.searchPath.map((path) =>
      path.replace(/\$(?:ORIGIN|\{ORIGIN\})/, `/${parentOf(file.path)}`),
    );
    for (const name of needs?.libraries ?? []) {
      if (!take(await findLibrary(root, name, ownPath ?? []))) missing.add(name);
    }
  }
  const paths = [...links.keys(), ...files.keys()];
  const topLinks = TOP_DIRECTORIES.filter(
    (name) => !paths.some((path) => path === name || path.startsWith(`${name}/`)),
  ).map((name) => [name, `usr/${name}`] as const);
  return {
    entries: [
      ...[...links, ...topLinks].map(([path, target]): InitramfsEntry => ({ path, type: 'symlink', target })),
      ...[...files].map(([path, bytes]): InitramfsEntry => ({ path, type: 'file', bytes, mode: 0o755 })),
    ],
    missing: [...missing],
  };
}

async function followAbsolute(root: Root, path: string): Promise<Found | undefined> {
  return (await follow(root, path)) ?? follow(root, `usr${path}`);
}

async function findProgram(root: Root, names: readonly string[]): Promise<Found | undefined> {
  for (const name of names) {
    for (const directory of PROGRAM_DIRECTORIES) {
      const found = await follow(root, `${directory}/${name}`);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

async function findLibrary(root: Root, name: string, ownPath: readonly string[]): Promise<Found | undefined> {
  if (name.includes('/')) return follow(root, name);
  const multiarch = MULTIARCH.flatMap((triplet) => [`lib/${triplet}`, `usr/lib/${triplet}`]);
  for (const directory of [...ownPath, ...LIBRARY_DIRECTORIES, ...multiarch]) {
    const found = await follow(root, `${directory}/${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const MULTIARCH = ['x86_64', 'aarch64', 'powerpc64le', 's390x'].map((cpu) => `${cpu}-linux-gnu`);

/** Of a program its dynamic linker, of a script the program that runs it. */
function interpreterOf(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 256)).toString(
    'latin1',
  );
  const script = /^#!\s*(\S+)/.exec(start)?.[1];
  return script ?? findElfNeeds(bytes)?.interpreter;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}
