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
  const symbols = new Map<string, KernelSymbol>();
  let number = 0;
  for (const line of text.split('\n')) {
    number++;
    if (line === '') continue;
    const symbol = parseLine(line.split('\t'));
    if (symbol === undefined) {
      throw new ModuleError('INDEX_INVALID', `Cannot read symvers: line ${number} is no symbol`, {
        hint: 'A line is: CRC, symbol, module, EXPORT_SYMBOL or EXPORT_SYMBOL_GPL, namespace, with tabs between them.',
      });
    }
    if (!symbols.has(symbol.symbol)) symbols.set(symbol.symbol, symbol);
  }
  return symbols;
}

function parseLine(columns: readonly string[]): KernelSymbol | undefined {
  const [crc = '', symbol = '', third = '', fourth = '', fifth = ''] = columns;
  if (columns.length < 4 || columns.length > 5 || !CRC.test(crc) || symbol === '') return undefined;
  const [owner, kind, namespace] = fourth.startsWith('EXPORT_')
    ? [third, fourth, fifth]
    : [fourth, fifth, third];
  if (owner === '' || !kind.startsWith('EXPORT_')) return undefined;
  return {
    symbol,
    crc: Number(crc),
    owner,
    isGplOnly: kind.includes('_GPL'),
    namespace: namespace === '' ? undefined : namespace,
  };
}
