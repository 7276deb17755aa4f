import type { GuestRun } from '../../engine/emulator.ts';
import type { BootRequest } from './boot-proof.ts';
import type { BootReport, ControlBoot, ModuleBoot } from './boot-report.ts';
import type { GuestConsole } from './console.ts';
import { type Control, judgeControl } from './controls.ts';
import { judgeStep } from './outcome.ts';
import { describeTaints } from './taints.ts';

export interface ReportInput {
  readonly request: Pick<BootRequest, 'kernel' | 'modules' | 'secureBoot'>;
  /** In the order in which the guest tried them, before the modules. */
  readonly controls: readonly Control[];
  readonly run: GuestRun & { readonly seen: GuestConsole };
  /** Of the emulator. */
  readonly version: string;
  readonly initramfsMs: number;
}

/** What a boot showed, and whether that is a proof. */
export function makeBootReport(input: ReportInput): BootReport {
  const { request, controls, run, version, initramfsMs } = input;
  const { seen } = run;
  const judgedControls = controls.map(({ name, kind }, index) => {
    const judged = judgeStep(seen.steps.get(index + 1), name);
    return { name, kind, messages: judged.messages, ...judgeControl(judged) };
  });
  const modules = request.modules.map((name, index): ModuleBoot => {
    const step = seen.steps.get(controls.length + index + 1);
    return { name, exitCode: step?.exitCode, ...judgeStep(step, name) };
  });
  const problem =
    findGuestProblem(input) ??
    findEnforcementProblem(input) ??
    findControlProblem(judgedControls) ??
    findModuleProblem(modules, input);
  return {
    verdict: problem === undefined ? 'passes' : 'fails',
    statement: problem ?? describeSuccess(input, modules),
    emulator: { version, accelerator: run.accelerator, firmware: run.firmware },
    kernelRelease: seen.kernelRelease ?? '',
    secureBoot: request.secureBoot !== undefined,
    lockdown: seen.lockdown,
    isSignatureEnforced: seen.isSignatureEnforced,
    modules,
    controls: judgedControls.map(({ name, kind, outcome, messages }) => ({ name, kind, outcome, messages })),
    tainted: seen.tainted ?? 0,
    taints: describeTaints(seen.tainted ?? 0),
    loadedModules: seen.loadedModules,
    kernelLog: seen.kernelLog,
    console: seen.text,
    times: { initramfsMs, bootMs: run.ms },
  };
}

function findGuestProblem({ request, run }: ReportInput): string | undefined {
  const { seen } = run;
  const seconds = Math.round(run.timeoutMs / 1000);
  if (!seen.hasStarted) {
    const last =
      seen.kernelLog.findLast((line) => /panic|error|fail/i.test(line)) ?? seen.text.split('\n').at(-1);
    const said = last === undefined || last === '' ? '' : `; its last words: ${last.slice(0, 200)}`;
    return run.end === 'timeout'
      ? `the guest did not come up within ${seconds} s${said}`
      : `the guest ended before it came up${said}`;
  }
  if (seen.kernelRelease !== undefined && seen.kernelRelease !== request.kernel) {
    return `the kernel that booted is ${seen.kernelRelease}, not ${request.kernel}`;
  }
  return undefined;
}

function findEnforcementProblem({ request, run }: ReportInput): string | undefined {
  if (request.secureBoot === undefined) return undefined;
  const { isSignatureEnforced, lockdown } = run.seen;
  if (isSignatureEnforced || lockdown === 'integrity' || lockdown === 'confidentiality') return undefined;
  return 'the kernel does not enforce signatures although the firmware has Secure Boot on: it is neither locked down nor is sig_enforce set';
}

const CONTROLS: Readonly<Record<ControlBoot['kind'], string>> = {
  unsigned: 'without a signature',
  tampered: 'changed after it was signed',
  'wrong-key': 'signed by a key that nobody trusts',
};

function findControlProblem(
  controls: readonly (ControlBoot & { readonly isProof: boolean })[],
): string | undefined {
  const bad = controls.find(({ isProof }) => !isProof);
  if (bad === undefined) return undefined;
  const copy = `a copy of ${bad.name} ${CONTROLS[bad.kind]}`;
  if (bad.outcome === 'not-reached') return `the guest ended before ${copy} was tried`;
  if (bad.outcome !== 'refused') return `the kernel took ${copy}`;
  return `${copy} was refused, but not for its signature: ${bad.messages.at(-1) ?? 'nothing was said'}`;
}

function findModuleProblem(modules: readonly ModuleBoot[], input: ReportInput): string | undefined {
  const { run } = input;
  const bad = modules.filter(({ outcome }) => outcome !== 'loaded' && outcome !== 'needs-hardware');
  const [first] = bad;
  if (first === undefined) {
    return run.seen.isComplete ? undefined : 'the guest ended before it had told everything';
  }
  const others = bad.length > 1 ? ` (and ${bad.length - 1} more)` : '';
  if (first.outcome === 'not-reached') {
    return `the guest ended${lateness(run)} before it came to ${first.name}${others}`;
  }
  if (first.outcome === 'refused') {
    return `the kernel refused ${first.name}${others}: ${reasonOf(first.messages, input)}`;
  }
  const why = first.messages.at(-1) ?? 'its init() failed';
  return `the kernel took ${first.name}${others}, and then ${why}${first.exitCode === undefined ? lateness(run) : ''}`;
}

function lateness({ end, timeoutMs }: ReportInput['run']): string {
  return end === 'timeout' ? ` (after ${Math.round(timeoutMs / 1000)} s)` : '';
}

/** The kernel's own words where there are some, modprobe's otherwise, and what they mean for the most common case. */
function reasonOf(messages: readonly string[], input: ReportInput): string {
  const kernel = messages.find(
    (line) =>
      /is rejected|disagrees about|Unknown symbol|version magic|exports duplicate|Invalid|invalid|namespace/.test(
        line,
      ) && !/^(?:modprobe|insmod):/.test(line),
  );
  const reason = kernel ?? messages[0] ?? 'nothing was said';
  if (!/unavailable key is rejected/.test(reason)) return reason;
  return isFirmwareIgnored(input)
    ? `${reason}; the kernel took no certificate from the firmware: one that was built with CONFIG_EFI_DISABLE_RUNTIME, as those for real time are, does so when it is started with efi=runtime (--boot-arg efi=runtime)`
    : `${reason}; the certificate of its key is neither enrolled nor built into the kernel`;
}

/**
 * The kernel names each certificate that it takes from the firmware.
 *
 * @see linux `security/integrity/platform_certs/keyring_handler.c`, `security/integrity/digsig.c`
 */
function isFirmwareIgnored({ request, run }: ReportInput): boolean {
  const isEnrolled = (request.secureBoot?.certificates.length ?? 0) > 0;
  return isEnrolled && !run.seen.kernelLog.some((line) => /Loading X\.509 certificate: UEFI:/.test(line));
}

function describeSuccess({ request, controls }: ReportInput, modules: readonly ModuleBoot[]): string {
  const named = (outcome: ModuleBoot['outcome']): string =>
    modules
      .filter((module) => module.outcome === outcome)
      .map(({ name }) => name)
      .join(', ');
  const loaded = named('loaded');
  const waiting = named('needs-hardware');
  const parts = [
    loaded === '' ? '' : `loaded ${loaded}`,
    waiting === '' ? '' : `took ${waiting}, whose init() found no hardware to drive`,
    controls.length === 0 ? '' : `refused ${controls.length} copies that it must refuse`,
  ].filter((part) => part !== '');
  const how = request.secureBoot === undefined ? '' : ' with Secure Boot';
  return `kernel ${request.kernel} booted${how}${parts.length === 0 ? '' : ` and ${parts.join('; ')}`}`;
}
