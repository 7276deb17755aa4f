import type { KernelFacts } from '../kernel-facts.ts';
import { forcesLoad } from '../kernel-version.ts';
import type { ModuleTree } from '../module-tree.ts';
import type { Check, CheckDetail } from '../report.ts';
import { VMLINUX } from '../resolve-symbols.ts';
import type { Subject } from '../subject.ts';
import { countOf, resultsOf } from './check.ts';

/** Does anybody export the same symbols, and have they CRCs? */
export function checkExports(
  subject: Subject,
  kernel: KernelFacts,
  tree: ModuleTree | undefined,
): Check | undefined {
  const { pass, warn, fail } = resultsOf('exports');
  const { exports } = subject.symbols;
  if (exports.length === 0) return undefined;
  const dependencies = new Set(tree?.dependenciesOf(subject.path));
  const clashes: CheckDetail[] = [];
  const rivals: CheckDetail[] = [];
  for (const { symbol } of exports) {
    const message = 'the kernel refuses the second to export it';
    if (kernel.exports?.get(symbol)?.owner === VMLINUX) {
      clashes.push({ subject: symbol, message, provider: VMLINUX });
      continue;
    }
    const provider = tree?.findProvider(symbol)?.path;
    if (provider === undefined || provider === subject.path) continue;
    (dependencies.has(provider) ? clashes : rivals).push({ subject: symbol, message, provider });
  }
  if (clashes.length > 0) {
    return fail(`${countOf(clashes.length, 'symbol')} that it exports are exported already`, {
      details: clashes,
      hint: 'Rename the symbols, or replace the whole module that exports them.',
    });
  }
  if (kernel.hasModversions === true && subject.lacksExportCrcs) {
    const message = 'it exports symbols without CRCs, which this kernel wants';
    return forcesLoad(kernel)
      ? warn(`${message}: it is loaded, and the kernel is marked as tainted`)
      : fail(message);
  }
  if (rivals.length > 0) {
    return warn(`another module exports ${countOf(rivals.length, 'symbol')} of the same name`, {
      details: rivals,
      hint: 'Only one of the two can be loaded.',
    });
  }
  return pass(`nobody else exports its ${countOf(exports.length, 'symbol')}`);
}
