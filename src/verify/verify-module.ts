import type { Certificate } from '../sign/certificate.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { checkBtf } from './checks/btf.ts';
import { checkArchitecture, checkThisModule, checkVermagic } from './checks/built-for.ts';
import { checkDependencies } from './checks/dependencies.ts';
import { checkElf, elfFailure, openElf } from './checks/elf.ts';
import { checkExports } from './checks/exports.ts';
import { checkFirmware, type HasFirmware } from './checks/firmware.ts';
import { checkLivepatch } from './checks/livepatch.ts';
import { checkAliases, checkName } from './checks/name.ts';
import { checkParameters } from './checks/parameters.ts';
import { checkRelocations } from './checks/relocations.ts';
import { checkSignature } from './checks/signature.ts';
import { checkLicence, checkNamespaces, checkSymbolCrcs, checkSymbols } from './checks/symbols.ts';
import { checkModuleLayout, checkVersions } from './checks/versions.ts';
import type { KernelFacts } from './kernel-facts.ts';
import type { ModuleTree } from './module-tree.ts';
import { CHECK_IDS, type Check, type CheckId, type ModuleReport } from './report.ts';
import { type ResolvedSymbols, resolveSymbols, type SharedUses } from './resolve-symbols.ts';
import { readSubject, type Subject } from './subject.ts';

/** A module and what is asked of it alone. */
export interface ExamineModuleRequest {
  /** Path below the kernel's module directory, or a file name: it says what the module is called. */
  readonly path: string;
  /** The file without its compression, with its signature. */
  readonly bytes: Uint8Array;
  readonly kernel: KernelFacts;
  /**
   * Certificates that nodes trust. With them a module must be signed by one of these or by the kernel's own signer;
   * without, a module that is not signed gets a warning.
   */
  readonly certificates?: readonly Certificate[] | undefined;
  /** Parameters that it will be loaded with. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

export type VerifyModuleRequest = ExamineModuleRequest & Omit<LinkModuleOptions, 'more' | 'shared'>;

/** A module that was looked at by itself, ready to be linked: holds none of its bytes. */
export interface ExaminedModule {
  readonly path: string;
  readonly checks: readonly Check[];
  /** Undefined when it cannot be read: it fails then. */
  readonly subject: Subject | undefined;
}

/**
 * Says whether a kernel would load a module, check by check in the order of `load_module()`. Never throws for what the
 * module holds: bytes that are no module are a report that fails. Proves nothing about `init()` and the hardware.
 *
 * @see linux `kernel/module/main.c`
 */
export function verifyModule(request: VerifyModuleRequest): ModuleReport {
  return linkModule(examineModule(request), request.kernel, request);
}

/** The first half of `verifyModule`: all that does not depend on other modules. Never throws for what the module holds. */
export function examineModule(request: ExamineModuleRequest): ExaminedModule {
  const { path, kernel } = request;
  const bytes = Buffer.from(request.bytes.buffer, request.bytes.byteOffset, request.bytes.byteLength);
  const { module, check: signature } = checkSignature(bytes, kernel, request.certificates);
  const opened = openElf(module);
  if ('check' in opened) return { path, checks: [signature, opened.check], subject: undefined };
  const { elf } = opened;
  const headers = [signature, checkElf(elf, kernel), checkArchitecture(elf, kernel.arch)];
  if (headers.some(({ id, status }) => id !== 'signature' && status === 'fail')) {
    return { path, checks: headers, subject: undefined };
  }
  try {
    const subject = readSubject(path, elf, kernel);
    const checks = [
      ...headers,
      checkThisModule(elf, kernel),
      checkVermagic(subject, kernel),
      checkLivepatch(subject, kernel),
      checkRelocations(elf, subject, kernel),
      checkBtf(elf, subject, kernel),
      checkParameters(subject, kernel, request.parameters),
      checkName(subject),
      checkAliases(subject),
    ];
    return { path, checks: checks.filter((check) => check !== undefined), subject };
  } catch (error) {
    return { path, checks: [signature, elfFailure(error), ...headers.slice(2)], subject: undefined };
  }
}

export interface LinkModuleOptions {
  /** The modules it is loaded among; those of the kernel's `symvers` when absent. */
  readonly tree?: ModuleTree | undefined;
  readonly hasFirmware?: HasFirmware | undefined;
  /** Checks that were made elsewhere. */
  readonly more?: readonly Check[];
  /** What was found out about symbols that other modules of the same tree use, too. */
  readonly shared?: SharedUses | undefined;
}

const PLACES: ReadonlyMap<CheckId, number> = new Map(CHECK_IDS.map((id, place) => [id, place]));

function placeOf({ id }: Check): number {
  return PLACES.get(id) ?? CHECK_IDS.length;
}

const NO_SYMBOLS: ResolvedSymbols = { uses: [], unknown: [], tainted: new Set() };

/** The second half: finds who exports what the module imports, and what else it needs. */
export function linkModule(
  { path, checks, subject }: ExaminedModule,
  kernel: KernelFacts,
  options: LinkModuleOptions = {},
): ModuleReport {
  const { tree, more = [], shared } = options;
  const resolved = subject === undefined ? NO_SYMBOLS : resolveSymbols(subject, kernel, { tree, shared });
  const { uses } = resolved;
  const linked =
    subject === undefined
      ? []
      : [
          checkModuleLayout(subject, kernel),
          checkVersions(subject, kernel),
          checkSymbols(resolved),
          checkSymbolCrcs(subject, kernel, uses),
          checkNamespaces(subject, kernel, uses),
          checkLicence(subject, resolved),
          checkExports(subject, kernel, tree),
          checkDependencies(subject, uses, tree),
          checkFirmware(subject, options.hasFirmware),
        ];
  const all = [...checks, ...linked.filter((check) => check !== undefined), ...more];
  return {
    name: moduleNameOfPath(path),
    path,
    verdict: all.some(({ status }) => status === 'fail') ? 'fails' : 'passes',
    checks: all.sort((left, right) => placeOf(left) - placeOf(right)),
    symbols: uses,
    dependencies: tree?.dependenciesOf(path) ?? [],
  };
}
