import type { BuildEvent } from '../events.ts';
import type { TargetReport } from './report.ts';

/**
 * What a person should know of the signatures of modules that pass: the hash may be none that the kernel can compute, or
 * the kernel asks the firmware for no certificates. The same is said once for all modules.
 */
export function signatureWarnings({ kernel, modules }: TargetReport): readonly BuildEvent[] {
  const checks = modules
    .flatMap((module) => module.checks)
    .filter(({ id, status }) => id === 'signature' && status === 'warn');
  const byMessage = new Map(checks.map((check) => [check.message, check]));
  return [...byMessage.values()].map(({ message, wanted, found, hint }) => {
    const values = [
      wanted === undefined ? '' : `; its own modules have ${wanted}`,
      found === undefined ? '' : ` (${found})`,
    ];
    return {
      type: 'warning',
      message: `kernel ${kernel}: ${message}${values.join('')}`,
      ...(hint === undefined ? {} : { hint }),
    };
  });
}
