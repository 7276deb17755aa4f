import { type KernelModule, findModinfo, listModinfo } from '../kmod/module.ts';
import type { KernelSymbol } from '../kmod/symvers.ts';
import { isProprietary } from './checks/licence.ts';

/** What the kernel of another release does to a symbol that a module uses. */
export interface SymbolChange {
  readonly symbol: string;
  /**
   * `crc`: what it stands for changed. `gone`: nothing exports it any more. `namespace`: the module does not import the
   * namespace that it moved to. `gpl-only`: the licence of the module no longer gets it.
   */
  readonly change: 'crc' | 'gone' | 'namespace' | 'gpl-only';
  readonly before: KernelSymbol;
  /** Undefined when it is gone. */
  readonly after: KernelSymbol | undefined;
}

/** Exported symbols of two kernels. */
export interface KernelSymbols {
  readonly before: ReadonlyMap<string, KernelSymbol>;
  readonly after: ReadonlyMap<string, KernelSymbol>;
}

/**
 * The symbols that a module uses and that another kernel of the same stream no longer gives it as they were: with any,
 * the module does not load there (kernel/module/main.c, `resolve_symbol`). Symbols that neither kernel exports come from
 * other modules of the driver and are passed over, as are weak ones that are gone, which a module does without.
 *
 * @param module What `readModule` makes of it. Its own CRCs count, where it has them: it may be older than both kernels.
 */
export function findSymbolChanges(
  module: Pick<KernelModule, 'imports' | 'modinfo'>,
  { before, after }: KernelSymbols,
): readonly SymbolChange[] {
  const namespaces = new Set(listModinfo(module, 'import_ns'));
  const isGplOnlyRefused = isProprietary({
    modinfo: module.modinfo,
    name: findModinfo(module, 'name') ?? '',
  });
  return module.imports.flatMap(({ symbol, isWeak, crc }): readonly SymbolChange[] => {
    const old = before.get(symbol);
    if (old === undefined) return [];
    const now = after.get(symbol);
    const changed = (change: SymbolChange['change']): SymbolChange[] => [
      { symbol, change, before: old, after: now },
    ];
    if (now === undefined) return isWeak ? [] : changed('gone');
    if (now.crc !== (crc ?? old.crc)) return changed('crc');
    if (now.namespace !== undefined && now.namespace !== old.namespace && !namespaces.has(now.namespace)) {
      return changed('namespace');
    }
    return now.isGplOnly && !old.isGplOnly && isGplOnlyRefused ? changed('gpl-only') : [];
  });
}
