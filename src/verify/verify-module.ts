import { findSection, sectionBytes } from '../kmod/elf.ts';
import { readLoaderSymbols } from '../kmod/loader-symbols.ts';
import { parseModinfo } from '../kmod/modinfo.ts';
import { readVersionTables } from '../kmod/version-tables.ts';
import type { Certificate } from '../sign/certificate.ts';
import { moduleNameOfPath } from '../spec/module-name.ts';
import { checkArchitecture, checkThisModule, checkVermagic } from './checks/built-for.ts';
import { checkElf, elfFailure, openElf } from './checks/elf.ts';
import { checkExports } from './checks/exports.ts';
import { checkName } from './checks/name.ts';
import { checkSignature } from './checks/signature.ts';
import {
  checkLicence,
  checkNamespaces,
  checkSymbolCrcs,
  checkSymbols,
  toSymbolUse,
} from './checks/symbols.ts';
import { checkModuleLayout, checkVersions } from './checks/versions.ts';
import type { KernelFacts } from './kernel-facts.ts';
import type { ModuleTree } from './module-tree.ts';
import { CHECK_IDS, type Check, type ModuleReport } from './report.ts';
import { resolveSymbols } from './resolve-symbols.ts';
import type { Subject } from './subject.ts';

export interface VerifyModuleRequest {
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
  /** The modules it is loaded among; those of the kernel's `symvers` when absent. */
  readonly tree?: ModuleTree | undefined;
  /** Parameters that it will be loaded with. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Says whether a file of firmware is there; undefined when that is not known. */
  readonly hasFirmware?: ((path: string) => boolean | undefined) | undefined;
}

/**
 * Says whether a kernel would load a module, check by check in the order of `load_module()`. Never throws for what the
 * module holds: bytes that are no module are a report that fails. Proves nothing about `init()` and the hardware.
 *
 * @see linux `kernel/module/main.c`
 */
export function verifyModule(request: VerifyModuleRequest): ModuleReport {
  const { path, kernel, tree } = request;
  const bytes = Buffer.from(request.bytes.buffer, request.bytes.byteOffset, request.bytes.byteLength);
  const { module, check: signature } = checkSignature(bytes, kernel, request.certificates);
  const opened = openElf(module);
  if ('check' in opened) return report(path, [signature, opened.check]);
  const architecture = checkArchitecture(opened.elf, kernel.arch);
  const elf = checkElf(opened.elf, kernel);
  if (architecture.status === 'fail' || elf.status === 'fail') {
    return report(path, [signature, elf, architecture]);
  }
  const subject = readSubject(path, opened.elf);
  if ('status' in subject) return report(path, [signature, subject, architecture]);

  const uses = resolveSymbols(subject, kernel, tree);
  const checks = [
    signature,
    elf,
    architecture,
    checkThisModule(subject, kernel),
    checkModuleLayout(subject, kernel),
    checkVermagic(subject, kernel),
    checkVersions(subject, kernel),
    checkSymbols(uses),
    checkSymbolCrcs(subject, kernel, uses),
    checkNamespaces(subject, kernel, uses),
    checkLicence(subject, uses),
    checkExports(subject, kernel, tree),
    checkName(subject),
  ];
  return {
    ...report(path, checks),
    symbols: uses.map(toSymbolUse),
    dependencies: tree?.dependenciesOf(path) ?? [],
  };
}

/** What the checks look at, or the check that failed because it cannot be read. */
function readSubject(path: string, elf: Subject['elf']): Subject | Check {
  try {
    const section = findSection(elf, '.modinfo');
    return {
      path,
      name: moduleNameOfPath(path),
      elf,
      modinfo: section === undefined ? [] : parseModinfo(sectionBytes(elf, section)),
      symbols: readLoaderSymbols(elf),
      versions: readVersionTables(elf),
    };
  } catch (error) {
    return elfFailure(error);
  }
}

function report(path: string, found: readonly (Check | undefined)[]): ModuleReport {
  const checks = found
    .filter((check) => check !== undefined)
    .sort((left, right) => CHECK_IDS.indexOf(left.id) - CHECK_IDS.indexOf(right.id));
  return {
    name: moduleNameOfPath(path),
    path,
    verdict: checks.some(({ status }) => status === 'fail') ? 'fails' : 'passes',
    checks,
    symbols: [],
    dependencies: [],
  };
}
