import type { Check } from '../report.ts';
import { firstOf, type Subject } from '../subject.ts';
import { resultsOf } from './check.ts';

/** Does the module call itself what its file is called? modprobe looks for it by the file's name. */
export function checkName(subject: Subject): Check | undefined {
  const { pass, fail } = resultsOf('name');
  const found = firstOf(subject, 'name');
  if (found === undefined) return undefined;
  const wanted = subject.name;
  if (found === wanted) return pass('it is called what its file is called', { wanted, found });
  return fail('it calls itself by another name than its file', {
    wanted,
    found,
    hint: `Rename the file to ${found}.ko.`,
  });
}
