import { ModuleError } from '../../errors.ts';
import { configForKernel, type DepmodConfig } from '../../kmod/depmod/config.ts';
import { chooseFile, isSearched } from '../../kmod/depmod/search-order.ts';
import { moduleNameOfPath } from '../../spec/module-name.ts';
import type { KernelFacts } from '../kernel-facts.ts';
import type { Check, OverrideReport } from '../report.ts';
import type { TreeIndexes } from '../tree-indexes.ts';
import { countOf, resultsOf } from './check.ts';

export interface PrecedenceRequest {
  readonly path: string;
  readonly kernel: KernelFacts;
  readonly indexes: TreeIndexes;
  /** Paths of all files of a module of this name, where they are known. */
  readonly files: readonly string[];
  readonly config: DepmodConfig | undefined;
}

/** Is this the file that modprobe takes for a module of this name, and would depmod take it again? */
export function checkPrecedence({ path, kernel, indexes, files, config }: PrecedenceRequest): Check {
  const { pass, fail } = resultsOf('precedence');
  const name = moduleNameOfPath(path);
  if (kernel.builtins.has(name)) {
    return fail('the kernel has a driver of this name built in, which a module cannot replace');
  }
  const rivals = files.filter((other) => other !== path);
  if (config !== undefined && rivals.length > 0) {
    const settings = configForKernel(config, kernel.release);
    if (!isSearched(path, settings))
      return fail('depmod never looks at this file (exclude, build or source)');
    try {
      const winner = chooseFile([path, ...rivals.filter((other) => isSearched(other, settings))], settings);
      if (winner !== path) return shadowed(winner);
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      return fail(
        'it has the same priority as another file, so that the file system decides which one is loaded',
        {
          provider: rivals.join(', '),
          hint: error.hint,
        },
      );
    }
  }
  const taken = indexes.pathOf.get(name);
  if (taken !== undefined && taken !== path) return shadowed(taken);
  return pass('it is the file that modprobe takes for this name');
}

function shadowed(winner: string): Check {
  return resultsOf('precedence').fail('another file comes before it and is loaded instead', {
    provider: winner,
    hint: 'Add an "override" line to depmod.d, or put the file below a directory that depmod.d searches first.',
  });
}

/** Do the modules of the base still load that use what this module takes the place of? */
export function checkDependants(override: OverrideReport | undefined): Check | undefined {
  const { pass, fail, skip } = resultsOf('dependants');
  if (override === undefined) return undefined;
  const { dependants, loser } = override;
  const broken = dependants.filter(({ status }) => status === 'broken');
  if (broken.length > 0) {
    return fail(
      `it takes the place of ${loser}, and ${countOf(broken.length, 'module')} of the base no longer load`,
      {
        provider: loser,
        details: broken.map(({ path, symbols }) => ({
          subject: path,
          message: `it does not find ${symbols.slice(0, 5).join(', ')}${symbols.length > 5 ? ` and ${symbols.length - 5} more` : ''} as it was built against`,
        })),
        hint: 'Build the replacement so that it exports the same symbols, or replace its dependants, too.',
      },
    );
  }
  const unknown = dependants.filter(({ status }) => status === 'unknown');
  if (unknown.length > 0) {
    return skip(
      `it takes the place of ${loser}; whether ${countOf(unknown.length, 'module')} of the base still load is not known`,
      {
        provider: loser,
        details: unknown.map(({ path }) => ({ subject: path, message: 'its file was not read' })),
      },
    );
  }
  return pass(
    `it takes the place of ${loser}, and the ${countOf(dependants.length, 'module')} that use it still load`,
    {
      provider: loser,
    },
  );
}
