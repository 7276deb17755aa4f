import { KmodError } from '../../src/errors.ts';
import { indexTree, type TreeRequest } from '../../src/kmod/depmod/index-tree.ts';
import { mergeIndexes, type MergeRequest } from '../../src/kmod/depmod/merge.ts';
import type { KernelModule } from '../../src/kmod/module.ts';
import { BUILD_FILES } from './depmod-tree.ts';

/** What became of a merge, or of indexes that were computed anew, beside what real depmod wrote. */
export interface Outcome {
  /** Files in which our result differs from real depmod's. */
  readonly differing: readonly string[];
  /** Modules of the base that had to be read. */
  readonly needed: readonly string[];
  /** Why it was refused. */
  readonly error: KmodError | undefined;
}

/** The outcome of a merge that went as it should, apart from the modules that it needed. */
export const SAME = { differing: [], error: undefined };

type Files = ReadonlyMap<string, Uint8Array>;

/** Merges, reading modules of the base as the merge asks for them, and compares. */
export function mergeOutcome(
  request: Omit<MergeRequest, 'baseModules'>,
  expected: Files,
  readBaseModule: (path: string) => KernelModule,
): Outcome {
  const baseModules = new Map<string, KernelModule>();
  return outcomeOf([...baseModules.keys()], () => {
    let result = mergeIndexes({ ...request, baseModules });
    while (result.kind === 'needs-modules') {
      const unread = result.paths.filter((path) => !baseModules.has(path));
      if (unread.length < result.paths.length) throw new Error('the merge asks twice for one module');
      for (const path of unread) baseModules.set(path, readBaseModule(path));
      result = mergeIndexes({ ...request, baseModules });
    }
    const files = new Map([...request.base, ...result.files]);
    return { differing: listDiffering(files, expected), needed: [...baseModules.keys()] };
  });
}

/** Computes all indexes from the modules, and compares. */
export function treeOutcome(request: TreeRequest, expected: Files): Outcome {
  return outcomeOf([], () => {
    const { files } = indexTree(request);
    const written = new Map([...expected].filter(([name]) => !BUILD_FILES.includes(name)));
    return { differing: listDiffering(files, written), needed: [] };
  });
}

function outcomeOf(needed: readonly string[], run: () => Pick<Outcome, 'differing' | 'needed'>): Outcome {
  try {
    return { ...run(), error: undefined };
  } catch (error) {
    if (error instanceof KmodError) return { differing: [], needed, error };
    throw error;
  }
}

function listDiffering(actual: Files, expected: Files): readonly string[] {
  const isSame = (name: string): boolean =>
    Buffer.compare(actual.get(name) ?? Buffer.from('missing'), expected.get(name) ?? Buffer.from('none')) ===
    0;
  return [...new Set([...actual.keys(), ...expected.keys()])].filter((name) => !isSame(name));
}

/** Counts what became of many trials. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, this.count(what) + 1);
  }

  count(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  toString(): string {
    return [...this.#counts]
      .map(([what, count]) => `${count} ${what}`)
      .sort((a, b) => parseInt(b) - parseInt(a))
      .join(', ');
  }
}
