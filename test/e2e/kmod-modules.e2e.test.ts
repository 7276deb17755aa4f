import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decompressModule } from '../../src/kmod/compression.ts';
import { describeModule } from '../../src/kmod/describe-module.ts';
import type { KernelModule } from '../../src/kmod/module.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { parseSymvers } from '../../src/kmod/symvers.ts';
import { listDebianKernels, sampleModules } from '../support/kernels.ts';

const run = promisify(execFile);
const LARGE = { maxBuffer: 2 ** 28 };

describe.each(listDebianKernels())('modules of $release', (kernel) => {
  const modules: { file: string; plainFile: string; bytes: Buffer; module: KernelModule }[] = [];
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-kmod-'));
    for (const file of sampleModules(kernel, 300)) {
      const bytes = await decompressModule(await readFile(file));
      // nm and modprobe read no compressed files.
      const plainFile = join(scratch, `${String(modules.length)}.ko`);
      await writeFile(plainFile, bytes);
      modules.push({ file, plainFile, bytes, module: readModule(bytes) });
    }
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  it('have the fields that modinfo prints, in its order', async () => {
    const { stdout } = await run('modinfo', ['-0', ...modules.map(({ file }) => file)], LARGE);

    const printed = stdout
      .split(/^filename:|\0filename:/)
      .slice(1)
      .map((text) => text.split('\0').slice(1).filter(Boolean).map(splitField));
    expect(printed).toHaveLength(modules.length);
    for (const [index, { module }] of modules.entries()) {
      const ours = module.modinfo.filter(({ key }) => key !== 'parm' && key !== 'parmtype');
      const theirs = printed[index]!.filter(({ key }) => key !== 'parm' && !/^sig/.test(key));

      expect(theirs).toEqual(ours);
      expect(parametersOf(module)).toEqual(
        printed[index]!.filter(({ key }) => key === 'parm')
          .map(({ value }) => value)
          .sort(),
      );
    }
  });

  it('import what nm shows as undefined, in the order of the symbol table', async () => {
    const { stdout } = await run('nm', ['-p', '-u', '-A', ...modules.map((one) => one.plainFile)], LARGE);
    const byFile = groupByFile(stdout);

    for (const { plainFile, module } of modules) {
      const theirs = (byFile.get(plainFile) ?? []).map(([type, name]) => `${String(name)} ${String(type)}`);
      const ours = module.imports
        .filter(({ symbol }) => symbol !== 'module_layout')
        .map(({ symbol, isWeak }) => `${symbol} ${isWeak ? 'w' : 'U'}`);

      expect(ours).toEqual(theirs);
    }
  });

  it('have the CRCs of imports and exports that modprobe shows', async () => {
    for (const { plainFile, module } of modules.filter((_one, index) => index % 5 === 0)) {
      const versions = await run('modprobe', ['--show-modversions', plainFile], LARGE);
      const exports = await run('modprobe', ['--show-exports', plainFile], LARGE).catch(noExports);

      const hex = (crc: number | undefined): string => `0x${(crc ?? -1).toString(16).padStart(8, '0')}`;
      expect(module.imports.map(({ symbol, crc }) => `${hex(crc)}\t${symbol}`).sort()).toEqual(
        linesOf(versions.stdout),
      );
      expect(module.exports.map(({ symbol, crc }) => `${hex(crc)}\t${symbol}`).sort()).toEqual(
        linesOf(exports.stdout),
      );
    }
  });

  it('agree with Module.symvers on every CRC, licence class and namespace', async () => {
    const symvers = parseSymvers(await readFile(kernel.symvers, 'utf8'));
    let compared = 0;

    for (const { module, file } of modules) {
      const name = describeModule(module).name;
      for (const { symbol, crc } of module.imports) {
        expect(`${symbol} ${String(crc)}`).toBe(`${symbol} ${String(symvers.get(symbol)?.crc)}`);
        compared++;
      }
      for (const entry of module.exports) {
        const { owner = '', ...row } = symvers.get(entry.symbol) ?? {};
        expect(row).toEqual(entry);
        expect(file).toContain(`/${owner.split('/').at(-1) ?? ''}.ko`);
        expect(owner.split('/').at(-1)?.replaceAll('-', '_')).toBe(name);
        compared++;
      }
    }

    expect(compared).toBeGreaterThan(10_000);
  });

  it('come out of xz, zstd and gzip as they went in', async () => {
    for (const { plainFile, bytes } of modules.filter((_one, index) => index % 40 === 0)) {
      for (const [program, ...flags] of [
        ['xz', '--check=crc32', '--lzma2=dict=1MiB'],
        ['xz', '-9', '-T2', '--block-size=65536'],
        ['xz', '--check=none', '--lzma2=preset=4,lc=1,lp=3,pb=4'],
        ['zstd', '-q', '-19'],
        ['gzip', '-n'],
      ] as const) {
        const { stdout } = await run(program, [...flags, '-c', plainFile], { ...LARGE, encoding: 'buffer' });

        const unpacked = await decompressModule(stdout);

        expect(unpacked.equals(bytes)).toBe(true);
      }
    }
  });
});

/** Only the parameters, which modinfo joins from two fields, have a colon and sixteen columns before them. */
function splitField(text: string): { key: string; value: string } {
  if (text.startsWith('parm:')) return { key: 'parm', value: text.slice(16) };
  const equals = text.indexOf('=');
  return { key: text.slice(0, equals), value: text.slice(equals + 1) };
}

/** Parameters as modinfo prints them, sorted: it lists them backwards. */
function parametersOf(module: KernelModule): readonly string[] {
  return describeModule(module)
    .parameters.map(({ name, type, description }) =>
      description === undefined
        ? `${name}:${type ?? ''}`
        : `${name}:${description}${type === undefined ? '' : ` (${type})`}`,
    )
    .sort();
}

/** modprobe takes a module that exports nothing for an error. */
function noExports(error: unknown): { stdout: string } {
  if (String(error).includes('could not get symbols')) return { stdout: '' };
  throw error;
}

/** Lines `file: U name` of nm, by file. */
function groupByFile(text: string): Map<string, string[][]> {
  const byFile = new Map<string, string[][]>();
  for (const line of text.split('\n').filter(Boolean)) {
    const colon = line.indexOf(':');
    const file = line.slice(0, colon);
    const rows = byFile.get(file) ?? [];
    rows.push(
      line
        .slice(colon + 1)
        .trim()
        .split(/\s+/),
    );
    byFile.set(file, rows);
  }
  return byFile;
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter(Boolean).sort();
}
