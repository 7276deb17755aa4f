import type { LoadOutcome } from './boot-report.ts';
import type { GuestStep, InitCall } from './console.ts';

/** Error numbers by which an init function says that there is nothing to drive: ENXIO, ENODEV, EOPNOTSUPP. */
const NO_HARDWARE = new Map([
  [-6, 'No such device or address'],
  [-19, 'No such device'],
  [-95, 'Operation not supported'],
]);

/** What came of loading one module, and in whose words. */
export interface Judged {
  readonly outcome: LoadOutcome;
  readonly messages: readonly string[];
}

/**
 * Tells a module that the kernel refused from one that it took and whose init function then failed. The kernel says
 * which init functions it calls: one that was called belongs to a module that passed every check.
 *
 * @param step Undefined when the guest never came to it.
 */
export function judgeStep(step: GuestStep | undefined, name: string): Judged {
  if (step === undefined) return { outcome: 'not-reached', messages: [] };
  const said = [...step.output, ...step.kernel];
  const failed = step.initCalls.find(({ returned }) => returned === undefined || returned < 0);
  if (step.exitCode === undefined) {
    return failed === undefined
      ? { outcome: 'refused', messages: [...said, 'the guest ended while the kernel looked at it'] }
      : { outcome: 'init-failed', messages: [...said, describeCall(failed)] };
  }
  if (step.exitCode === 0) {
    const isThere = step.state !== 'absent';
    if (isThere) return { outcome: 'loaded', messages: said };
    return {
      outcome: 'refused',
      messages: [...said, `it is not loaded, although the program that loads ${name} ended with 0`],
    };
  }
  if (failed === undefined) return { outcome: 'refused', messages: said };
  const isHardware = failed.returned !== undefined && NO_HARDWARE.has(failed.returned);
  return {
    outcome: isHardware ? 'needs-hardware' : 'init-failed',
    messages: [...said, describeCall(failed)],
  };
}

function describeCall({ module, returned }: InitCall): string {
  if (returned === undefined) return `init() of ${module} did not return`;
  const words = NO_HARDWARE.get(returned);
  return `init() of ${module} returned ${returned}${words === undefined ? '' : `: ${words}`}`;
}
