import type { VersionTable } from '../kmod/version-tables.ts';
import { hexOfCrc } from './checks/check.ts';
import { isProprietary } from './checks/licence.ts';
import type { KernelFacts } from './kernel-facts.ts';
import { EXTENDED_VERSIONS, hasChangeOf, isRhel, MODULE_NAMESPACES } from './kernel-version.ts';
import type { ModuleTree, SymbolProvider } from './module-tree.ts';
import type { SymbolUse } from './report.ts';
import { allOf, type Subject } from './subject.ts';

/** Who asks for a symbol where the kernel itself exports it. */
export const VMLINUX = 'vmlinux';

/** How the symbols were resolved that a module imports. */
export interface ResolvedSymbols {
  /** In the order of the module's symbol table. */
  readonly uses: readonly SymbolUse[];
  /** Those that nobody is known to export, where all that the kernel exports is not known. */
  readonly unknown: readonly SymbolUse[];
  /** Those whose provider is proprietary, while the module uses symbols for the GPL only. */
  readonly tainted: ReadonlySet<SymbolUse>;
}

/** Who provides each symbol, and the last use of it: most modules were built against the same, and share the record. */
export type SharedUses = Map<string, SharedUse>;

interface SharedUse {
  readonly provider: SymbolProvider | undefined;
  /** CRC that the module was built against. */
  readonly crc: number | undefined;
  readonly use: SymbolUse;
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
  { tree, shared }: { readonly tree?: ModuleTree | undefined; readonly shared?: SharedUses | undefined } = {},
): ResolvedSymbols {
  const own = OWN_SYMBOLS.get(subject.machine);
  const imports = subject.symbols.imports.filter(({ symbol }) => symbol !== own);
  const providers = imports.map(({ symbol }) => {
    const known = shared?.get(symbol);
    return known === undefined ? findProvider(symbol, kernel, tree) : known.provider;
  });
  const rules = {
    kernel,
    table: kernel.hasModversions === false ? undefined : tableOf(subject, kernel),
    isClosed: isProprietary(subject),
    usesGplOnly: providers.some((provider) => provider?.isGplOnly === true),
    shared,
    importsNamespace: (namespace: string) => importsNamespace(subject, kernel, namespace),
  };
  const uses: SymbolUse[] = [];
  const unknown: SymbolUse[] = [];
  const tainted = new Set<SymbolUse>();
  for (const [at, one] of imports.entries()) {
    const provider = providers[at];
    const use = resolve(one, provider, rules);
    uses.push(use);
    if (provider === undefined && kernel.exports === undefined) unknown.push(use);
    if (provider?.isProprietary === true && rules.usesGplOnly) tainted.add(use);
  }
  return { uses, unknown, tainted };
}

interface Rules {
  readonly kernel: KernelFacts;
  /** CRCs of the module, where the kernel compares any. */
  readonly table: VersionTable | undefined;
  /** The kernel takes the module for proprietary. */
  readonly isClosed: boolean;
  readonly usesGplOnly: boolean;
  readonly importsNamespace: (namespace: string) => boolean;
  readonly shared: SharedUses | undefined;
}

function resolve(
  { symbol, isWeak }: { readonly symbol: string; readonly isWeak: boolean },
  provider: SymbolProvider | undefined,
  rules: Rules,
): SymbolUse {
  const crc = rules.table?.get(symbol);
  const status = statusOf({ provider, crc, isWeak }, rules);
  const known = rules.shared?.get(symbol);
  if (known?.crc === crc && known?.use.status === status) return known.use;
  const found = crc === undefined ? undefined : hexOfCrc(crc);
  const use: SymbolUse = {
    symbol,
    status,
    found,
    wanted: provider?.crc === crc ? found : provider?.crc === undefined ? undefined : hexOfCrc(provider.crc),
    provider: provider?.path,
    namespace: provider?.namespace === '' ? undefined : provider?.namespace,
    isGplOnly: provider?.isGplOnly,
  };
  rules.shared?.set(symbol, { provider, crc, use });
  return use;
}

/** In the order in which the loader asks: what is not found by a weak symbol is no error, all else is. */
function statusOf(
  {
    provider,
    crc,
    isWeak,
  }: {
    readonly provider: SymbolProvider | undefined;
    readonly crc: number | undefined;
    readonly isWeak: boolean;
  },
  { kernel, table, isClosed, usesGplOnly, importsNamespace: isImported }: Rules,
): SymbolUse['status'] {
  if (provider === undefined) return isWeak ? 'weak' : kernel.exports === undefined ? 'ok' : 'missing';
  const isTainted = provider.isProprietary === true && usesGplOnly;
  if ((isClosed && provider.isGplOnly === true) || isTainted) return isWeak ? 'weak' : 'licence';
  if (provider.crc !== undefined && table !== undefined) {
    if (crc === undefined) return 'no-crc';
    if (crc !== provider.crc) return 'crc-changed';
  }
  return provider.namespace === undefined || provider.namespace === '' || isImported(provider.namespace)
    ? 'ok'
    : 'namespace';
}

/** Says whether there are CRCs on both sides. */
export function comparesCrcs(subject: Subject, kernel: KernelFacts): boolean {
  return kernel.hasModversions !== false && tableOf(subject, kernel) !== undefined;
}

/** The CRC that a kernel compares: of the extended tables alone, where it reads them and there are any. */
export function crcOf(
  subject: Pick<Subject, 'versions'>,
  kernel: KernelFacts,
  symbol: string,
): number | undefined {
  return tableOf(subject, kernel)?.get(symbol);
}

function tableOf({ versions }: Pick<Subject, 'versions'>, kernel: KernelFacts): VersionTable | undefined {
  return readsExtended(kernel) ? (versions.extended ?? versions.basic) : versions.basic;
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
function importsNamespace(subject: Subject, kernel: KernelFacts, namespace: string): boolean {
  if (namespace.startsWith(MODULE_NAMESPACE) && hasChangeOf(kernel, MODULE_NAMESPACES)) {
    const names = namespace.slice(MODULE_NAMESPACE.length).split(',');
    return names.some((pattern) => {
      const plain = pattern.replaceAll('-', '_');
      return plain.endsWith('*') ? subject.name.startsWith(plain.slice(0, -1)) : subject.name === plain;
    });
  }
  return allOf(subject, 'import_ns').includes(namespace);
}
