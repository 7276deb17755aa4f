import type { KernelFacts } from '../kernel-facts.ts';
import { hasChangeOf, MODULE_NAMESPACES } from '../kernel-version.ts';
import type { Check, CheckDetail, SymbolUse } from '../report.ts';
import { comparesCrcs, type ResolvedSymbols } from '../resolve-symbols.ts';
import { allOf, type Subject } from '../subject.ts';
import { countOf, resultsOf } from './check.ts';
import { isProprietary, licenceOf } from './licence.ts';

const REBUILD = 'Build the module with the driver-toolkit of this release.';

/** Does the kernel, or a module, export what the module needs? */
export function checkSymbols({ uses, unknown }: ResolvedSymbols): Check {
  const { pass, fail, skip } = resultsOf('symbols');
  const missing = uses.filter(({ status }) => status === 'missing');
  if (missing.length > 0) {
    return fail(`nobody exports ${countOf(missing.length, 'symbol')} that it needs`, {
      hint: 'Add the module that exports them, or build for this kernel.',
      details: missing.map(({ symbol, found }) => ({
        subject: symbol,
        message: 'neither the kernel nor a module of this tree exports it',
        found,
      })),
    });
  }
  if (unknown.length > 0) {
    return skip(
      `whether ${countOf(unknown.length, 'symbol')} that it needs are there is not known without symvers`,
      {
        details: unknown.map(({ symbol, found }) => ({ subject: symbol, message: 'not looked up', found })),
      },
    );
  }
  const weak = uses.filter(({ status }) => status === 'weak').length;
  const rest = weak === 0 ? '' : `, but for ${weak} that it can do without`;
  return pass(`all ${countOf(uses.length, 'symbol')} that it needs are exported${rest}`);
}

/** Are they what the module was built against? */
export function checkSymbolCrcs(
  subject: Subject,
  kernel: KernelFacts,
  uses: readonly SymbolUse[],
): Check | undefined {
  const { pass, fail, skip } = resultsOf('symbol-crcs');
  if (kernel.hasModversions === false) return undefined;
  const changed = uses.filter(({ status }) => status === 'crc-changed' || status === 'no-crc');
  if (changed.length > 0) {
    return fail(`the kernel disagrees about ${countOf(changed.length, 'symbol')}`, {
      hint: REBUILD,
      details: changed.map(({ symbol, status, wanted, found, provider }) => ({
        subject: symbol,
        message: status === 'no-crc' ? 'the module has no CRC for it' : 'it has another CRC',
        wanted,
        found,
        provider,
      })),
    });
  }
  if (!comparesCrcs(subject, kernel)) return skip('it has no CRCs to compare');
  const compared = uses.filter(({ wanted, found }) => wanted !== undefined && found !== undefined).length;
  const open = uses.filter(({ status, wanted }) => status === 'ok' && wanted === undefined).length;
  if (open > 0) {
    return skip(
      `${compared} CRCs are equal; those of ${countOf(open, 'symbol')} are not known without symvers`,
    );
  }
  return pass(`the CRCs of all ${countOf(compared, 'symbol')} are equal`);
}

/** Does the module say that it uses the namespaces that it uses? */
export function checkNamespaces(
  subject: Subject,
  kernel: KernelFacts,
  uses: readonly SymbolUse[],
): Check | undefined {
  const { pass, warn, fail } = resultsOf('namespaces');
  const forbidden = allOf(subject, 'import_ns').find((name) => name.startsWith('module:'));
  if (forbidden !== undefined && hasChangeOf(kernel, MODULE_NAMESPACES)) {
    return fail('it imports a namespace that belongs to modules by their names', { found: forbidden });
  }
  const missing = uses.filter(({ status }) => status === 'namespace');
  if (missing.length > 0) {
    const allowed = kernel.config?.get('CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS') === 'y';
    const message = `it does not import the namespaces of ${countOf(missing.length, 'symbol')}`;
    return (allowed ? warn : fail)(message, {
      hint: `Add MODULE_IMPORT_NS for ${[...new Set(missing.map(({ namespace }) => namespace))].join(', ')}.`,
      details: missing.map(({ symbol, namespace, provider }) => ({
        subject: symbol,
        message: 'it is in a namespace that the module does not import',
        wanted: namespace,
        provider,
      })),
    });
  }
  const used = uses.filter(({ namespace }) => namespace !== undefined);
  return used.length === 0
    ? undefined
    : pass(`the namespaces of ${countOf(used.length, 'symbol')} are imported`);
}

/** Does its licence give it what it uses? */
export function checkLicence(subject: Subject, { uses, tainted }: ResolvedSymbols): Check {
  const { pass, fail } = resultsOf('licence');
  const found = licenceOf(subject);
  const refused = uses.filter(({ status }) => status === 'licence');
  if (refused.length === 0) {
    const kind = isProprietary(subject)
      ? 'is not compatible with the GPL and it uses no symbol that asks for that'
      : 'is compatible with the GPL';
    return pass(`its licence ${kind}`, { found });
  }
  return fail(`its licence does not allow ${countOf(refused.length, 'symbol')} that it uses`, {
    found,
    details: refused.map((use): CheckDetail => ({
      subject: use.symbol,
      message: tainted.has(use)
        ? 'a proprietary module exports it, and this module uses symbols for the GPL only'
        : 'it is exported to modules under the GPL only',
      provider: use.provider,
    })),
  });
}
