import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RHEL_DEPMOD_CONFIG } from '../../../src/kmod/depmod/config.ts';
import { indexTree, type IndexFormat, RHEL_INDEX_FORMAT } from '../../../src/kmod/depmod/index-tree.ts';
import { mergeIndexes, type MergeRequest } from '../../../src/kmod/depmod/merge.ts';
import type { AddedModule } from '../../../src/kmod/depmod/select-modules.ts';
import type { KernelModule } from '../../../src/kmod/module.ts';
import { fuzzRuns } from '../fuzz.ts';
import { makeModule } from './make-module.ts';

const KERNEL = '5.14.0-427.el9.x86_64';

const NAMES =
  'ice irdma gnss i40e libie snd-pcm snd_timer nf-tables x_tables mc videodev usbcore crc16 a b-c'.split(' ');

interface Tree {
  /** All modules; each needs only modules that come before it. */
  readonly modules: readonly AddedModule[];
  readonly order: Buffer;
  /** Which modules of the tree the base lacks. */
  readonly absent: ReadonlySet<number>;
  /** Which modules of the base get another file in updates/, with another module's imports. */
  readonly replaced: ReadonlyMap<number, KernelModule>;
  readonly format: IndexFormat;
}

const trees: fc.Arbitrary<Tree> = fc
  .integer({ min: 2, max: 14 })
  .chain((count) =>
    fc.record({
      needs: fc.array(fc.array(fc.nat(), { maxLength: 5 }), { minLength: count, maxLength: count }),
      names: fc.shuffledSubarray(NAMES, { minLength: count, maxLength: count }),
      isOrdered: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      seeds: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      replace: fc.dictionary(fc.nat({ max: count - 1 }).map(String), fc.array(fc.nat(), { maxLength: 4 }), {
        maxKeys: 2,
      }),
      isPreOrder: fc.boolean(),
      isBigEndian: fc.boolean(),
      isDropping: fc.boolean(),
    }),
  )
  .map(({ needs, names, isOrdered, seeds, replace, isPreOrder, isBigEndian, isDropping }) => {
    const symbolsOf = (index: number): string[] => [`${names[index]}_a`, `${names[index]}_b`];
    const importsOf = (list: readonly number[], below: number): string[] =>
      below === 0 ? [] : list.map((need) => symbolsOf(need % below)[need % 2] ?? '');
    const modules = needs.map((list, index) => ({
      path: `kernel/d${index % 3}/${names[index]}.ko`,
      module: makeModule({
        imports: importsOf(list, index),
        exports: symbolsOf(index),
        aliases: [`of:N*T*C${names[index]}`, `pci:v0000${index % 4}d*-[0-9]`],
        softdeps: index % 5 === 0 ? ['pre: crc32c'] : [],
        isLittleEndian: !isBigEndian,
      }),
    }));
    const absent = new Set<number>();
    for (const [index, list] of needs.entries()) {
      const needsAbsent = index > 0 && list.some((need) => absent.has(need % index));
      if (needsAbsent || (seeds[index] === true && index % 3 === 0)) absent.add(index);
    }
    const replaced = new Map<number, KernelModule>();
    for (const [key, list] of Object.entries(replace)) {
      const index = Number(key);
      if (absent.has(index)) continue;
      replaced.set(
        index,
        makeModule({
          imports: importsOf(list, index),
          exports: symbolsOf(index).slice(isDropping ? 1 : 0),
          aliases: [`usb:v${index}-x`],
          isLittleEndian: !isBigEndian,
        }),
      );
    }
    const order = modules
      .filter((_module, index) => isOrdered[index] === true)
      .map(({ path }) => `${path}\n`);
    const format: IndexFormat = {
      ...RHEL_INDEX_FORMAT,
      layout: isPreOrder ? 'pre-order' : 'post-order',
      byteOrder: isBigEndian ? 'big' : 'little',
    };
    return { modules, order: Buffer.from(order.join('')), absent, replaced, format };
  });

function index(tree: Tree, modules: readonly AddedModule[]): Map<string, Uint8Array> {
  const { files } = indexTree({
    modules,
    files: new Map([['modules.order', tree.order]]),
    config: RHEL_DEPMOD_CONFIG,
    kernelRelease: KERNEL,
    format: tree.format,
  });
  return new Map([...files, ['modules.order', tree.order]]);
}

function isSame(left: ReadonlyMap<string, Uint8Array>, right: ReadonlyMap<string, Uint8Array>): boolean {
  return (
    left.size === right.size &&
    [...left].every(([name, bytes]) => Buffer.compare(bytes, right.get(name)!) === 0)
  );
}

describe('mergeIndexes() on random trees', () => {
  it('gives what all modules together give, and names every module of the base that it must read', () => {
    let withNeeds = 0;
    fc.assert(
      fc.property(trees, (tree) => {
        const present = tree.modules.filter((_module, at) => !tree.absent.has(at));
        fc.pre(present.length > 1);
        const byPath = new Map(present.map(({ path, module }) => [path, module]));
        const added = [...tree.absent]
          .map((at) => tree.modules[at]!)
          .map(({ path, module }) => ({
            path: path.replace(/^kernel\/d\d/, 'extra'),
            module,
          }));
        for (const [at, module] of tree.replaced) {
          added.push({ path: tree.modules[at]!.path.replace(/^kernel\/d\d/, 'updates'), module });
        }
        const base = index(tree, present);
        const expected = index(tree, [...present, ...added]);
        const request: MergeRequest = { base, added, config: RHEL_DEPMOD_CONFIG, kernelRelease: KERNEL };
        const baseModules = new Map<string, KernelModule>();

        let result = mergeIndexes(request);
        if (result.kind === 'needs-modules') withNeeds++;
        for (let round = 0; result.kind === 'needs-modules' && round < 20; round++) {
          for (const path of result.paths) {
            expect(baseModules.has(path)).toBe(false);
            baseModules.set(path, byPath.get(path)!);
          }
          result = mergeIndexes({ ...request, baseModules });
        }

        expect(result.kind).toBe('merged');
        if (result.kind !== 'merged') return;
        for (const [name, bytes] of expected) {
          const actual = result.files.get(name) ?? base.get(name);
          expect(Buffer.compare(actual!, bytes), name).toBe(0);
        }
        const reversed = mergeIndexes({ ...request, added: added.toReversed(), baseModules });
        expect(reversed.kind === 'merged' && isSame(reversed.files, result.files)).toBe(true);
      }),
      { numRuns: fuzzRuns(300) },
    );
    expect(withNeeds).toBeGreaterThan(0);
  });
});
