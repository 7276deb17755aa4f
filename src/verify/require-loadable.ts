import { ModuleError } from '../errors.ts';
import { findModinfo, type KernelModule } from '../kmod/module.ts';
import type { Arch } from '../oci/arch.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import type { Check, CheckDetail, TargetReport } from './report.ts';

export interface BuiltForOptions {
  /** File name, for instance `ice.ko`. */
  readonly fileName: string;
  readonly module: KernelModule;
  readonly arch: Arch;
  /** Kernel release that the module must name. */
  readonly kernel: string;
}

/**
 * Refuses a module that was built for another architecture or kernel, or that calls itself by another name than its
 * file, before anything of the base is read: what a build made for another kernel is a mistake, even if it would load.
 *
 * @throws {ModuleError} `ARCH_MISMATCH`, `KERNEL_MISMATCH` or `NAME_MISMATCH`, with what was wanted and found.
 * @see linux `kernel/module/main.c`, `elf_validity_cache_copy` and `check_modinfo`
 */
export function requireBuiltFor({ fileName, module, arch, kernel }: BuiltForOptions): void {
  if (module.arch !== arch) {
    throw new ModuleError(
      'ARCH_MISMATCH',
      `Cannot use ${fileName}: it was built for ${module.arch ?? `ELF machine ${module.machine}`}, the image is for ${arch}`,
      { hint: `Build the module for ${arch}.` },
    );
  }
  const vermagic = findModinfo(module, 'vermagic');
  const built = vermagic?.split(' ')[0];
  if (built !== kernel) {
    throw new ModuleError(
      'KERNEL_MISMATCH',
      `Cannot use ${fileName}: it was built for kernel ${built ?? '(it has no vermagic)'}, the image has ${kernel}`,
      { hint: 'Build the module with the driver-toolkit of this release.' },
    );
  }
  const name = findModinfo(module, 'name');
  const expected = moduleNameOfPath(fileName);
  if (name !== undefined && name !== expected) {
    throw new ModuleError('NAME_MISMATCH', `Cannot use ${fileName}: the module inside calls itself ${name}`, {
      hint: `Rename the file to ${name}.ko.`,
    });
  }
}

/** Modules and findings that the message names; the report has all. */
const MAX_NAMED = 5;

/**
 * Refuses a tree in which a module would not load.
 *
 * @throws {ModuleError} `WOULD_NOT_LOAD`: what each check that failed wanted, what it found, and who provides it.
 */
export function requireLoadable(report: TargetReport): void {
  if (report.verdict === 'passes') return;
  const failed = report.modules.flatMap(({ path, checks }) =>
    checks.filter(({ status }) => status === 'fail').map((check) => ({ path, check })),
  );
  const rules = report.findings.filter(({ severity }) => severity === 'error');
  const reasons = [
    ...failed.map(({ path, check }) => `${path} fails ${check.id}: ${describe(check)}`),
    ...rules.map(({ rule, message }) => `${rule}: ${message}`),
  ];
  const more = reasons.length > MAX_NAMED ? `; and ${reasons.length - MAX_NAMED} more` : '';
  throw new ModuleError(
    'WOULD_NOT_LOAD',
    `Cannot ship this to kernel ${report.kernel}: ${reasons.slice(0, MAX_NAMED).join('; ')}${more}`,
    { hint: failed.find(({ check }) => check.hint !== undefined)?.check.hint },
  );
}

function describe(check: Check): string {
  const details = check.details ?? [];
  const more = details.length > MAX_NAMED ? `, and ${details.length - MAX_NAMED} more` : '';
  const listed = details
    .slice(0, MAX_NAMED)
    .map((detail) => `${detail.subject}: ${detail.message}${values(detail)}`);
  return `${check.message}${values(check)}${listed.length > 0 ? ` (${listed.join(', ')}${more})` : ''}`;
}

function values({ wanted, found, provider }: Pick<CheckDetail, 'wanted' | 'found' | 'provider'>): string {
  const known = [
    ...(wanted === undefined ? [] : [`wanted ${wanted}`]),
    ...(found === undefined ? [] : [`found ${found}`]),
    ...(provider === undefined ? [] : [`provided by ${provider}`]),
  ];
  return known.length === 0 ? '' : `, ${known.join(', ')}`;
}
