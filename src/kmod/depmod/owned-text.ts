import { ModuleError } from '../../errors.ts';
import { headerLength } from './alias-lines.ts';

/** Lines of a text index that belong to one module. */
export interface Block {
  /** Number of the module. */
  readonly owner: number;
  readonly text: Buffer;
}

/** A short text index that is written module by module: comment, then the lines of each. */
export interface OwnedText {
  readonly header: Buffer;
  /** Ascending by owner. */
  readonly blocks: readonly Block[];
}

/**
 * The lines of `modules.softdep`, `modules.weakdep` or `modules.devname`; undefined when they are not in the order of
 * modules.
 *
 * @param word Which word of a line names the module.
 * @throws {ModuleError} `INDEX_INVALID` for a line that names no module of the base.
 */
export function parseOwnedText(
  file: string,
  text: Buffer,
  options: { readonly word: 0 | 1; readonly numberOfName: ReadonlyMap<string, number> },
): OwnedText | undefined {
  const header = text.subarray(0, headerLength(text));
  const body = text.toString('latin1', header.length, text.length);
  const lines = body.split('\n');
  if (lines.pop() !== '') throw invalidLine(file, lines.length);
  const blocks: Block[] = [];
  let last = 0;
  for (const [index, line] of lines.entries()) {
    const owner = options.numberOfName.get(line.split(' ', 2)[options.word] ?? '');
    if (owner === undefined) throw invalidLine(file, index + 1);
    if (owner < last) return undefined;
    last = owner;
    blocks.push({ owner, text: Buffer.from(`${line}\n`, 'latin1') });
  }
  return { header, blocks };
}

/**
 * A text index in which some modules have other numbers, or are gone, and others are new.
 *
 * @param numberOf New number of a module of the base; undefined for one that is gone.
 */
export function mergeOwnedText(
  base: OwnedText,
  numberOf: (owner: number) => number | undefined,
  added: readonly Block[],
): Buffer {
  const blocks: Block[] = [...added];
  for (const { owner, text } of base.blocks) {
    const number = numberOf(owner);
    if (number !== undefined) blocks.push({ owner: number, text });
  }
  // Stable: two lines of one module stay in their order.
  blocks.sort((left, right) => left.owner - right.owner);
  return Buffer.concat([base.header, ...blocks.map(({ text }) => text)]);
}

function invalidLine(file: string, line: number): ModuleError {
  return new ModuleError('INDEX_INVALID', `Cannot read ${file}: line ${line} below the comment is damaged`, {
    hint: 'Take the index from the image again, or compute all indexes anew with --full.',
  });
}
