import { ModuleError } from '../errors.ts';

/** One exported symbol of a kernel, as `Module.symvers` and RHEL's `symvers.gz` list it. */
export interface KernelSymbol {
  readonly symbol: string;
  readonly crc: number;
  /** `vmlinux`, or the path of the module that exports it, without `.ko`. */
  readonly owner: string;
  readonly isGplOnly: boolean;
  readonly namespace: string | undefined;
}

const CRC = /^0x[0-9a-f]{1,8}$/;

/**
 * Exported symbols by name, from the text of a `Module.symvers` of any kernel: four columns up to 5.3, the namespace
 * as the third of five in 5.4 and 5.5, as the last since 5.6. Of two lines for one symbol the first counts.
 *
 * @throws {ModuleError} `INDEX_INVALID` with the number of the line that cannot be read.
 */
export function parseSymvers(text: string): ReadonlyMap<string, KernelSymbol> {
  const starts = new Map<string, number>();
  let number = 0;
  for (let start = 0; start < text.length;) {
    number++;
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    if (end > start) {
      if (!isSymbol(text, start, end)) {
        throw new ModuleError('INDEX_INVALID', `Cannot read symvers: line ${number} is no symbol`, {
          hint: 'A line is: CRC, symbol, module, EXPORT_SYMBOL or EXPORT_SYMBOL_GPL, namespace, with tabs between them.',
        });
      }
      const nameAt = text.indexOf('\t', start) + 1;
      const name = text.slice(nameAt, text.indexOf('\t', nameAt));
      if (!starts.has(name)) starts.set(name, start);
    }
    start = end + 1;
  }
  return new SymversMap(text, starts);
}

/**
 * Makes records of lines when they are asked for: a kernel exports some ten thousand symbols, of which most modules use
 * a few hundred.
 */
class SymversMap implements ReadonlyMap<string, KernelSymbol> {
  readonly #text: string;
  /** Where the line of each symbol starts. */
  readonly #starts: ReadonlyMap<string, number>;

  constructor(text: string, starts: ReadonlyMap<string, number>) {
    this.#text = text;
    this.#starts = starts;
  }

  get size(): number {
    return this.#starts.size;
  }

  has(symbol: string): boolean {
    return this.#starts.has(symbol);
  }

  get(symbol: string): KernelSymbol | undefined {
    const start = this.#starts.get(symbol);
    return start === undefined ? undefined : this.#lineAt(start);
  }

  keys(): MapIterator<string> {
    return this.#starts.keys();
  }

  *values(): MapIterator<KernelSymbol> {
    for (const start of this.#starts.values()) yield this.#lineAt(start);
  }

  *entries(): MapIterator<[string, KernelSymbol]> {
    for (const [symbol, start] of this.#starts) yield [symbol, this.#lineAt(start)];
  }

  [Symbol.iterator](): MapIterator<[string, KernelSymbol]> {
    return this.entries();
  }

  forEach(
    callback: (value: KernelSymbol, key: string, map: ReadonlyMap<string, KernelSymbol>) => void,
  ): void {
    for (const [symbol, value] of this.entries()) callback(value, symbol, this);
  }

  #lineAt(start: number): KernelSymbol {
    const newline = this.#text.indexOf('\n', start);
    return toSymbol(this.#text.slice(start, newline < 0 ? undefined : newline).split('\t'));
  }
}

/** Says whether a line has four or five columns, a CRC, a symbol, an owner and a kind of export. */
function isSymbol(text: string, start: number, end: number): boolean {
  const symbolAt = text.indexOf('\t', start) + 1;
  const thirdAt = text.indexOf('\t', symbolAt) + 1;
  const fourthAt = text.indexOf('\t', thirdAt) + 1;
  if (symbolAt === 0 || thirdAt === 0 || fourthAt === 0 || fourthAt > end) return false;
  const next = text.indexOf('\t', fourthAt) + 1;
  const fifthAt = next > end ? 0 : next;
  if (fifthAt !== 0) {
    const sixth = text.indexOf('\t', fifthAt);
    if (sixth >= 0 && sixth < end) return false;
  }
  if (thirdAt === symbolAt + 1 || !isCrc(text, start, symbolAt - 1)) return false;
  if (text.startsWith('EXPORT_', fourthAt)) return fourthAt > thirdAt + 1;
  return fifthAt > fourthAt + 1 && text.startsWith('EXPORT_', fifthAt);
}

function isCrc(text: string, start: number, end: number): boolean {
  return end - start <= 10 && CRC.test(text.slice(start, end));
}

function toSymbol([
  crc = '',
  symbol = '',
  third = '',
  fourth = '',
  fifth = '',
]: readonly string[]): KernelSymbol {
  const [owner, kind, namespace] = fourth.startsWith('EXPORT_')
    ? [third, fourth, fifth]
    : [fourth, fifth, third];
  return {
    symbol,
    crc: Number(crc),
    owner,
    isGplOnly: kind.includes('_GPL'),
    namespace: namespace === '' ? undefined : namespace,
  };
}
