import type { KernelFacts } from '../kernel-facts.ts';
import type { Check } from '../report.ts';
import { firstOf, type Subject } from '../subject.ts';
import { resultsOf } from './check.ts';

/** Does a module that patches the running kernel find a kernel that can be patched? */
export function checkLivepatch(subject: Subject, { config }: KernelFacts): Check | undefined {
  const { warn, fail, skip } = resultsOf('livepatch');
  if (firstOf(subject, 'livepatch') === undefined) return undefined;
  if (config === undefined)
    return skip('it patches the kernel; whether this one can be patched is not known');
  if (config.get('CONFIG_LIVEPATCH') !== 'y')
    return fail('it patches the kernel, and this one cannot be patched');
  return warn('it patches the kernel; whether what it patches is there cannot be proven');
}
