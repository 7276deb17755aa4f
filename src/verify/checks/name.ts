import type { Check } from '../report.ts';
import { allOf, firstOf, type Subject } from '../subject.ts';
import { resultsOf } from './check.ts';

/**
 * Does the module call itself what its file is called? modprobe looks for it by the file's name, the kernel goes by the
 * one in `struct module`.
 */
export function checkName(subject: Subject): Check | undefined {
  const { pass, fail } = resultsOf('name');
  const wanted = subject.name;
  const names = [firstOf(subject, 'name'), subject.loadedName].filter((name) => name !== undefined);
  const found = names.find((name) => name !== wanted) ?? names[0];
  if (found === undefined) return undefined;
  if (found === wanted) return pass('it is called what its file is called', { wanted, found });
  return fail('it calls itself by another name than its file', {
    wanted,
    found,
    hint: `Rename the file to ${found}.ko.`,
  });
}

/** Can depmod write its aliases into the binary index? It gives up at others than 7-bit characters. */
export function checkAliases(subject: Subject): Check | undefined {
  const { pass, warn, fail } = resultsOf('aliases');
  const aliases = allOf(subject, 'alias');
  if (aliases.length === 0) return undefined;
  const details = (subjects: readonly string[], message: string) => ({
    details: subjects.map((alias) => ({ subject: alias, message })),
  });
  const foreign = aliases.filter((alias) => /[^\0-\x7f]/.test(alias));
  if (foreign.length > 0) {
    return fail('depmod cannot index its aliases', details(foreign, 'it is not 7-bit ASCII'));
  }
  const unbalanced = aliases.filter((alias) => !hasBalancedBrackets(alias));
  if (unbalanced.length > 0) {
    return warn(
      'modprobe will not find it by all of its aliases',
      details(unbalanced, 'its brackets do not match'),
    );
  }
  return pass(`depmod can index its ${aliases.length} alias${aliases.length === 1 ? '' : 'es'}`);
}

/** @see kmod, `shared/util.c`, `alias_normalize()` */
function hasBalancedBrackets(alias: string): boolean {
  const rest = alias.replaceAll(/\[[^\]]*\]/g, '');
  return !/[[\]]/.test(rest);
}
