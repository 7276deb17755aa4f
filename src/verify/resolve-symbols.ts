import type { VersionRecord } from '../kmod/version-tables.ts';
import { hexOfCrc } from './checks/check.ts';
import { isProprietary } from './checks/licence.ts';
import type { KernelFacts } from './kernel-facts.ts';
import { EXTENDED_VERSIONS, hasChangeOf, isRhel, MODULE_NAMESPACES } from './kernel-version.ts';
import type { ModuleTree, SymbolProvider } from './module-tree.ts';
import type { SymbolUse } from './report.ts';
import { allOf, type Subject } from './subject.ts';

/** Who asks for a symbol where the kernel itself exports it. */
export const VMLINUX = 'vmlinux';

/** A symbol that a module imports, as the report has it, with what only the checks need. */
export interface ResolvedSymbol extends SymbolUse {
  /** Nobody is known to export it, but all that the kernel exports is not known. */
  readonly isUnknown: boolean;
  /** Its provider is proprietary, and the module uses symbols for the GPL only. */
  readonly isTainted: boolean;
}

/** Symbols that the loader itself looks after, by machine: undefined in modules all the same. */
const OWN_SYMBOLS: ReadonlyMap<number, string> = new Map([
  [62, '_GLOBAL_OFFSET_TABLE_'],
  [22, '_GLOBAL_OFFSET_TABLE_'],
]);

/**
 * Resolves what a module imports as the loader does: the kernel's own symbols first, then those of modules.
 *
 * @see linux `kernel/module/main.c`, `resolve_symbol()`
 */
export function resolveSymbols(
  subject: Subject,
  kernel: KernelFacts,
  tree: ModuleTree | undefined,
): readonly ResolvedSymbol[] {
  const own = OWN_SYMBOLS.get(subject.machine);
  const providers = new Map<string, SymbolProvider | undefined>();
  for (const { symbol } of subject.symbols.imports) providers.set(symbol, findProvider(symbol, kernel, tree));
  const isClosed = isProprietary(subject);
  const usesGplOnly = [...providers.values()].some((provider) => provider?.isGplOnly === true);
  const resolved: ResolvedSymbol[] = [];
  for (const { symbol, isWeak } of subject.symbols.imports) {
    if (symbol === own) continue;
    const provider = providers.get(symbol);
    const crc = crcOf(subject, kernel, symbol);
    const use: SymbolUse = {
      symbol,
      status: 'ok',
      found: crc === undefined ? undefined : hexOfCrc(crc.crc),
      wanted: provider?.crc === undefined ? undefined : hexOfCrc(provider.crc),
      provider: provider?.path,
      namespace: provider?.namespace === '' ? undefined : provider?.namespace,
      isGplOnly: provider?.isGplOnly,
    };
    const isUnknown = provider === undefined && kernel.exports === undefined;
    const isTainted = provider?.isProprietary === true && usesGplOnly;
    const status = isUnknown
      ? 'ok'
      : statusOf({ subject, kernel, provider, crc, isClosed, isTainted, isWeak });
    resolved.push({ ...use, status, isUnknown, isTainted });
  }
  return resolved;
}

interface Resolving {
  readonly subject: Subject;
  readonly kernel: KernelFacts;
  readonly provider: SymbolProvider | undefined;
  readonly crc: VersionRecord | undefined;
  readonly isClosed: boolean;
  readonly isTainted: boolean;
  readonly isWeak: boolean;
}

/** In the order in which the loader asks: what is not found by a weak symbol is no error, all else is. */
function statusOf(one: Resolving): SymbolUse['status'] {
  const { subject, kernel, provider, crc, isClosed, isTainted, isWeak } = one;
  if (provider === undefined) return isWeak ? 'weak' : 'missing';
  if ((isClosed && provider.isGplOnly === true) || isTainted) return isWeak ? 'weak' : 'licence';
  if (provider.crc !== undefined && comparesCrcs(subject, kernel)) {
    if (crc === undefined) return 'no-crc';
    if (crc.isTooWide || crc.crc !== provider.crc) return 'crc-changed';
  }
  return importsNamespace(subject, kernel, provider.namespace) ? 'ok' : 'namespace';
}

/** Says whether there are CRCs on both sides. */
export function comparesCrcs({ versions }: Subject, kernel: KernelFacts): boolean {
  const tables = readsExtended(kernel) ? (versions.extended ?? versions.basic) : versions.basic;
  return tables !== undefined && kernel.hasModversions !== false;
}

/** The CRC that a kernel compares: of the extended tables alone, where it reads them and there are any. */
export function crcOf(
  { versions }: Pick<Subject, 'versions'>,
  kernel: KernelFacts,
  symbol: string,
): VersionRecord | undefined {
  const tables = readsExtended(kernel) ? (versions.extended ?? versions.basic) : versions.basic;
  return tables?.get(symbol);
}

/** Kernels of RHEL say in their configuration whether they have taken the change over. */
export function readsExtended(kernel: KernelFacts): boolean {
  if (kernel.config?.has('CONFIG_EXTENDED_MODVERSIONS') === true) return true;
  return hasChangeOf(kernel, EXTENDED_VERSIONS) && !isRhel(kernel);
}

function findProvider(
  symbol: string,
  kernel: KernelFacts,
  tree: ModuleTree | undefined,
): SymbolProvider | undefined {
  const row = kernel.exports?.get(symbol);
  const isKernels = row?.owner === VMLINUX;
  if (row !== undefined && (isKernels || tree === undefined)) {
    return {
      path: isKernels ? VMLINUX : `${row.owner}.ko`,
      crc: kernel.hasModversions === false ? undefined : row.crc,
      isGplOnly: row.isGplOnly,
      namespace: row.namespace ?? '',
      isProprietary: isKernels ? false : undefined,
    };
  }
  const found = tree?.findProvider(symbol);
  if (found !== undefined) return found;
  const crc = kernel.exports === undefined ? kernel.importedCrcs.get(symbol) : undefined;
  if (crc === undefined) return undefined;
  return { path: VMLINUX, crc, isGplOnly: undefined, namespace: undefined, isProprietary: undefined };
}

const MODULE_NAMESPACE = 'module:';

/**
 * @see linux `kernel/module/main.c`, `verify_namespace_is_imported()`, `verify_module_namespace()`
 */
function importsNamespace(subject: Subject, kernel: KernelFacts, namespace: string | undefined): boolean {
  if (namespace === undefined || namespace === '') return true;
  if (namespace.startsWith(MODULE_NAMESPACE) && hasChangeOf(kernel, MODULE_NAMESPACES)) {
    const names = namespace.slice(MODULE_NAMESPACE.length).split(',');
    return names.some((pattern) => {
      const plain = pattern.replaceAll('-', '_');
      return plain.endsWith('*') ? subject.name.startsWith(plain.slice(0, -1)) : subject.name === plain;
    });
  }
  return allOf(subject, 'import_ns').includes(namespace);
}
