import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModuleError } from '../../../src/errors.ts';
import { checkBase } from '../../../src/kmod/depmod/check-base.ts';
import { RHEL_DEPMOD_CONFIG } from '../../../src/kmod/depmod/config.ts';
import { mergeIndexes } from '../../../src/kmod/depmod/merge.ts';
import { fuzzRuns, mutated } from '../fuzz.ts';
import { baseIndexes, KERNEL_RELEASE, modulesBelow } from './fixtures.ts';

const base = baseIndexes('kmod-30');

function changed(name: string, change: (bytes: Buffer) => Buffer): Map<string, Buffer> {
  return new Map([...base, [name, change(base.get(name)!)]]);
}

/** Puts the last line below the comment. */
function moveLastLine(bytes: Buffer): Buffer {
  const lines = bytes.toString('latin1').split('\n').slice(0, -1);
  const start = lines[0]?.startsWith('#') === true ? 1 : 0;
  const moved = [...lines.slice(0, start), lines.at(-1), ...lines.slice(start, -1)];
  return Buffer.from(`${moved.join('\n')}\n`, 'latin1');
}

function withCode(code: string, part = ''): unknown {
  const message: unknown = expect.stringContaining(part);
  return expect.objectContaining({ code, message });
}

describe('checkBase()', () => {
  it.each(['kmod-30', 'kmod-34'] as const)('accepts what %s wrote', (version) => {
    expect(() => {
      checkBase(baseIndexes(version));
    }).not.toThrow();
  });

  it.each(['modules.dep.bin', 'modules.alias.bin', 'modules.symbols.bin'])(
    'finds one other byte in %s',
    (name) => {
      const files = changed(name, (bytes) => {
        const copy = Buffer.from(bytes);
        copy[copy.length >> 1]! ^= 1;
        return copy;
      });

      expect(() => {
        checkBase(files);
      }).toThrow(withCode('INDEX_UNSUPPORTED', name));
    },
  );

  it.each(['modules.dep', 'modules.alias', 'modules.symbols', 'modules.softdep'])(
    'finds lines of %s that are not in the order of depmod',
    (name) => {
      const files = changed(name, moveLastLine);

      expect(() => {
        checkBase(files);
      }).toThrow(withCode('INDEX_UNSUPPORTED'));
    },
  );

  it('finds a device node that the aliases do not name', () => {
    const files = changed('modules.devname', (bytes) => Buffer.concat([bytes, Buffer.from('uhid x c1:2\n')]));

    expect(() => {
      checkBase(files);
    }).toThrow(withCode('INDEX_UNSUPPORTED'));
  });

  it.each(['modules.dep', 'modules.dep.bin', 'modules.alias', 'modules.symbols'])('asks for %s', (name) => {
    const files = new Map(base);
    files.delete(name);

    expect(() => {
      checkBase(files);
    }).toThrow(withCode('INDEX_INVALID', name));
  });

  it('never throws anything but a ModuleError, nor does a merge into damaged indexes', () => {
    const names = [
      'modules.dep',
      'modules.alias',
      'modules.symbols',
      'modules.softdep',
      'modules.devname',
      'modules.order',
    ];
    const damaged = fc
      .constantFrom(...names, 'modules.dep.bin')
      .chain((name) => mutated(base.get(name)!).map((bytes) => new Map([...base, [name, bytes]])));

    fc.assert(
      fc.property(damaged, fc.boolean(), (files, isBaseChecked) => {
        try {
          mergeIndexes({
            base: files,
            added: modulesBelow('extra'),
            config: RHEL_DEPMOD_CONFIG,
            kernelRelease: KERNEL_RELEASE,
            isBaseChecked,
          });
        } catch (error) {
          expect(error).toBeInstanceOf(ModuleError);
        }
      }),
      { numRuns: fuzzRuns(150) },
    );
  });
});
