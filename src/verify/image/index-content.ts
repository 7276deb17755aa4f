import { ModuleError } from '../../errors.ts';
import { normaliseAlias } from '../../kmod/depmod/alias-index.ts';
import { type IndexEntry, readIndex } from '../../kmod/depmod/index-reader.ts';
import { moduleNameOfPath } from '../../spec/module-name.ts';
import { textOf } from './kernel-paths.ts';

/** Text indexes of which depmod writes a binary one, too. */
export const PAIRS = ['modules.dep', 'modules.alias', 'modules.symbols'] as const;

export type PairName = (typeof PAIRS)[number];

/** One key of an index, and what stands under it. */
type Content = Pick<IndexEntry, 'key' | 'value'>;

/** What is in one form of an index and not in the other; both empty when they agree. */
export interface PairDifference {
  readonly onlyInText: readonly Content[];
  readonly onlyInBinary: readonly Content[];
}

/**
 * Compares the text of an index with the binary form, which is the one that modprobe reads.
 *
 * @throws {ModuleError} `INDEX_INVALID` or `LIMIT_EXCEEDED` when the binary form cannot be read.
 */
export function comparePair(name: PairName, text: Uint8Array, binary: Uint8Array): PairDifference {
  const counts = new Map<string, { count: number; content: Content }>();
  const note = (content: Content, step: 1 | -1): void => {
    const id = `${content.key}\0${content.value}`;
    const known = counts.get(id);
    if (known === undefined) counts.set(id, { count: step, content });
    else known.count += step;
  };
  for (const content of contentOf(name, text)) note(content, 1);
  for (const { key, value } of readIndex(binary)) note({ key, value }, -1);
  const differing = [...counts.values()].filter(({ count }) => count !== 0);
  return {
    onlyInText: differing.filter(({ count }) => count > 0).map(({ content }) => content),
    onlyInBinary: differing.filter(({ count }) => count < 0).map(({ content }) => content),
  };
}

/** Says whether two binary indexes hold the same, whichever kmod wrote them. */
export function isSameIndex(left: Uint8Array, right: Uint8Array): boolean {
  const [one, other] = [readIndex(left), readIndex(right)];
  return (
    one.length === other.length &&
    one.every(({ key, value, priority }, at) => {
      const entry = other[at];
      return key === entry?.key && value === entry.value && priority === entry.priority;
    })
  );
}

/** What modprobe finds for each name in `modules.dep.bin`: a path, and all that is loaded before. */
export function dependencyIndex(
  binary: Uint8Array,
): ReadonlyMap<string, { readonly path: string; readonly needs: readonly string[] }> {
  return new Map(
    readIndex(binary).map(({ key, value }) => {
      const colon = value.indexOf(':');
      const path = colon < 0 ? value : value.slice(0, colon);
      return [
        key,
        {
          path,
          needs:
            colon < 0
              ? []
              : value
                  .slice(colon + 1)
                  .split(' ')
                  .filter(Boolean),
        },
      ];
    }),
  );
}

/** Keys of a binary index; none for one that is empty or cannot be read, which is a rule of its own. */
export function keysOfIndex(index: Uint8Array | undefined): ReadonlySet<string> {
  try {
    return new Set(index === undefined || index.length === 0 ? [] : readIndex(index).map(({ key }) => key));
  } catch (error) {
    if (error instanceof ModuleError) return new Set();
    throw error;
  }
}

/** Entries that depmod makes of a text index. */
function* contentOf(name: PairName, text: Uint8Array): Generator<Content> {
  for (const line of textOf(text).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    if (name === 'modules.dep') {
      const colon = line.indexOf(':');
      yield { key: moduleNameOfPath(colon < 0 ? line : line.slice(0, colon)), value: line };
      continue;
    }
    const space = line.lastIndexOf(' ');
    const key = line.slice('alias '.length, space);
    const value = line.slice(space + 1);
    const normal = name === 'modules.alias' ? normalised(key) : key;
    if (normal !== undefined) yield { key: normal, value };
  }
}

/** Undefined for an alias that depmod leaves out. */
function normalised(alias: string): string | undefined {
  if (!alias.includes('-') && !/[[\]]/.test(alias)) return alias;
  // The common case without bytes; one with brackets is left to what depmod's own rules were written down in.
  if (!/[[\]]/.test(alias)) return alias.replaceAll('-', '_');
  const bytes = Buffer.from(alias, 'latin1');
  return normaliseAlias('modules.alias', bytes, 0, bytes.length) ? bytes.toString('latin1') : undefined;
}
