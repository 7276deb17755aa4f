import type { ModuleTree } from '../module-tree.ts';
import type { Check, CheckDetail, SymbolUse } from '../report.ts';
import { VMLINUX } from '../resolve-symbols.ts';
import { moduleNameOfPath } from '../../spec/module-name.ts';
import { firstOf, type Subject } from '../subject.ts';
import { countOf, resultsOf } from './check.ts';

const HINT = 'Run depmod, or merge the module into the indexes with "kmodlayer depmod".';

/** What is so of a module that the indexes of its tree do not name. */
export function notIndexed(): Check {
  return resultsOf('dependencies').fail('modules.dep does not name it, so that modprobe does not find it', {
    hint: HINT,
  });
}

/** Does modprobe load all that the module needs before it? */
export function checkDependencies(
  subject: Subject,
  uses: readonly SymbolUse[],
  tree: ModuleTree | undefined,
): Check | undefined {
  const { pass, warn, fail } = resultsOf('dependencies');
  if (tree === undefined) return undefined;
  const dependencies = tree.dependenciesOf(subject.path);
  if (dependencies === undefined) return notIndexed();
  const providers = new Map<string, string>();
  for (const { provider, symbol } of uses) {
    if (provider !== undefined && provider !== VMLINUX && !providers.has(provider))
      providers.set(provider, symbol);
  }
  const missing = [...providers].filter(([path]) => !dependencies.includes(path));
  if (missing.length > 0) {
    return fail(`modprobe does not load ${countOf(missing.length, 'module')} that it needs`, {
      hint: HINT,
      details: missing.map(([provider, symbol]): CheckDetail => ({
        subject: symbol,
        message: 'modules.dep does not say that its provider is needed',
        provider,
      })),
    });
  }
  const said = new Set(
    (firstOf(subject, 'depends') ?? '')
      .split(',')
      .filter((name) => name !== '')
      .map(plain),
  );
  const needed = new Set([...providers.keys()].map(moduleNameOfPath));
  const difference = [...said]
    .filter((name) => !needed.has(name))
    .concat([...needed].filter((name) => !said.has(name)));
  if (difference.length > 0) {
    return warn('what it says to depend on is not what its symbols need; depmod goes by the symbols', {
      wanted: [...needed].sort().join(','),
      found: [...said].sort().join(','),
    });
  }
  const count = dependencies.length;
  return pass(
    count === 0 ? 'it needs no other module' : `modprobe loads ${count} modules that it needs before it`,
  );
}

function plain(name: string): string {
  return name.replaceAll('-', '_');
}
