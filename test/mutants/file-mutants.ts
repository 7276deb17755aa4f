import { execFile } from 'node:child_process';
import { unsigned, type Mutant } from './mutant.ts';

/** Runs a packer on bytes. */
function piped(program: string, ...args: readonly string[]): NonNullable<Mutant['seal']> {
  return async (bytes, keys) => pipe(program, args, await keys.sign(bytes));
}

function pipe(program: string, args: readonly string[], input: Buffer): Promise<Buffer> {
  return new Promise((done, failed) => {
    const child = execFile(program, args, { encoding: 'buffer', maxBuffer: 2 ** 26 }, (error, stdout) => {
      if (error === null) done(stdout);
      else failed(new Error(`${program} failed`, { cause: error }));
    });
    child.stdin?.end(input);
  });
}

function file(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  seal: NonNullable<Mutant['seal']>,
): Mutant {
  return { id: `file-${id}`, check: 'elf', of: 'mu_leaf', change, kernel, seal };
}

function content(bytes: (module: Buffer) => Buffer): NonNullable<Mutant['seal']> {
  return (module) => unsigned(bytes(module));
}

function packed(
  id: string,
  change: string,
  kernel: Mutant['kernel'],
  suffix: string,
  seal: NonNullable<Mutant['seal']>,
): Mutant {
  return { ...file(id, change, kernel, seal), fileName: `mu_leaf.ko${suffix}` };
}

const XZ = ['--check=crc32', '--lzma2=dict=1MiB', '-c'] as const;

/** Files that are not, or not only, a module. */
export const FILE_MUTANTS: readonly Mutant[] = [
  file(
    'empty',
    'empty',
    'refused',
    content(() => Buffer.alloc(0)),
  ),
  file(
    'byte',
    'one byte',
    'refused',
    content(() => Buffer.from([0x7f])),
  ),
  file(
    'magic',
    'nothing but the first four bytes',
    'refused',
    content((module) => module.subarray(0, 4)),
  ),
  file(
    'header',
    'nothing but the header',
    'refused',
    content((module) => module.subarray(0, 64)),
  ),
  file(
    'header-short',
    'the header but for a byte',
    'refused',
    content((module) => module.subarray(0, 63)),
  ),
  file(
    'half',
    'the first half',
    'refused',
    content((module) => module.subarray(0, module.length / 2)),
  ),
  file(
    'page',
    'the page of a proxy that wants to be paid',
    'refused',
    content(() => Buffer.from('<html>402</html>')),
  ),
  file(
    'noise',
    'as long as the module, and noise',
    'refused',
    content((module) => Buffer.alloc(module.length, 0xa5)),
  ),
  file('half-signed', 'the first half, signed', 'refused', (module, keys) =>
    keys.sign(module.subarray(0, 3000)),
  ),
  file('empty-signed', 'nothing but a signature', 'refused', (_module, keys) => keys.sign(Buffer.alloc(0))),
  packed('xz', 'packed with xz', 'accepted', '.xz', piped('xz', ...XZ)),
  packed('zst', 'packed with zstd', 'accepted', '.zst', piped('zstd', '-q', '-c')),
  packed('xz-cut', 'packed with xz, and cut off', 'refused', '.xz', async (bytes, keys) =>
    (await piped('xz', ...XZ)(bytes, keys)).subarray(0, -40),
  ),
  packed('xz-signed', 'packed with xz, then signed', 'refused', '.xz', async (bytes, keys) =>
    keys.sign(await pipe('xz', XZ, bytes)),
  ),
];
