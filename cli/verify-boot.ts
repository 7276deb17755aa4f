import { resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import type { Arch } from '../src/oci/arch.ts';
import type { Certificate } from '../src/sign/certificate.ts';
import { bootProof, requireEmulator } from '../src/verify/boot/boot-proof.ts';
import type { EnrolPlace } from '../src/verify/boot/enrolment.ts';
import type { ProvenTarget } from '../src/verify/proven-target.ts';
import { STATIC_PASS, type TargetReport } from '../src/verify/report.ts';
import type { CliContext } from './context.ts';

/** Flags of what is booted after the static proof. */
export interface BootFlags {
  readonly boot?: boolean;
  readonly secureBoot?: boolean;
  readonly enrol?: EnrolPlace;
  readonly bootTimeout?: number;
  readonly bootRoot?: string;
  readonly bootArg?: readonly string[];
}

/** How to boot. */
export interface BootSettings {
  readonly secureBoot:
    { readonly certificates: readonly Uint8Array[]; readonly place: EnrolPlace } | undefined;
  readonly timeoutMs: number | undefined;
  /** Absolute. */
  readonly userland: string | undefined;
  readonly kernelArguments: readonly string[] | undefined;
}

/**
 * Undefined when nothing is to be booted.
 *
 * @throws {SpecError} `USAGE` for flags that say how to boot, without one that says to.
 */
export function readBootFlags(
  { boot = false, secureBoot = false, enrol, bootTimeout, bootRoot, bootArg }: BootFlags,
  given: { readonly certificates: readonly Certificate[] | undefined; readonly context: CliContext },
): BootSettings | undefined {
  if (!secureBoot && enrol !== undefined) {
    throw new SpecError('USAGE', 'Cannot enrol a certificate without Secure Boot', {
      hint: 'Add --secure-boot, or leave --enrol out.',
    });
  }
  if (!boot && !secureBoot) {
    const [flag] = Object.entries({
      '--boot-timeout': bootTimeout,
      '--boot-root': bootRoot,
      '--boot-arg': bootArg,
    }).find(([, value]) => value !== undefined) ?? [undefined];
    if (flag === undefined) return undefined;
    throw new SpecError('USAGE', `Cannot use ${flag}: nothing is booted`, {
      hint: 'Add --boot or --secure-boot.',
    });
  }
  const certificates = (given.certificates ?? []).map(({ der }) => der);
  return {
    secureBoot: secureBoot ? { certificates, place: enrol ?? 'db' } : undefined,
    timeoutMs: bootTimeout === undefined ? undefined : bootTimeout * 1000,
    userland: bootRoot === undefined ? undefined : resolve(given.context.cwd, bootRoot),
    kernelArguments: bootArg,
  };
}

/**
 * Looks whether this machine can boot, before the work that comes first.
 *
 * @throws {BootError} `EMULATOR_MISSING`, `FIRMWARE_MISSING`, `ARCH_UNSUPPORTED`.
 */
export async function requireBoot(
  settings: BootSettings | undefined,
  arch: Arch,
  io: Pick<Io, 'emulator' | 'report'>,
): Promise<void> {
  if (settings === undefined) return;
  await requireEmulator({ arch, secureBoot: settings.secureBoot }, io);
  if (settings.secureBoot?.certificates.length !== 0) return;
  io.report({
    type: 'warning',
    message: 'no certificate is enrolled: only modules load that the keys of the kernel itself signed',
    hint: 'Name the certificate that your nodes have enrolled: --cert FILE.',
  });
}

/**
 * The report with what a boot showed; as it is when nothing is to be booted, or nothing was proven.
 *
 * @throws {BootError} as `bootProof` does.
 */
export async function bootTarget(
  { report, source, added }: ProvenTarget,
  settings: BootSettings | undefined,
  io: Io,
): Promise<TargetReport> {
  if (settings === undefined || report.modules.length === 0) return report;
  const boot = await bootProof(
    {
      subject: report.subject,
      source,
      arch: report.arch,
      kernel: report.kernel,
      modules: report.modules.map(({ name }) => name),
      added,
      ...settings,
    },
    io,
  );
  const isStaticPass = report.verdict === 'passes';
  return {
    ...report,
    verdict: isStaticPass && boot.verdict === 'passes' ? 'passes' : 'fails',
    statement: !isStaticPass
      ? `${report.statement}; booted: ${boot.statement}`
      : boot.verdict === 'passes'
        ? `${STATIC_PASS.replace(/;.*/, '')}; ${boot.statement}`
        : boot.statement,
    boot,
  };
}
