import type { KernelFacts } from '../kernel-facts.ts';
import { forcesLoad } from '../kernel-version.ts';
import type { Check } from '../report.ts';
import { comparesCrcs, crcOf, readsExtended } from '../resolve-symbols.ts';
import type { Subject } from '../subject.ts';
import { hexOfCrc, resultsOf } from './check.ts';

const LAYOUT_SYMBOL = 'module_layout';
const REBUILD = 'Build the module with the driver-toolkit of this release.';

/** Does the kernel lay out its structures as the module expects? The symbol stands for all that the loader shares. */
export function checkModuleLayout(subject: Subject, kernel: KernelFacts): Check | undefined {
  const { pass, fail, skip } = resultsOf('module-layout');
  if (kernel.hasModversions === false || !comparesCrcs(subject, kernel)) return undefined;
  const wanted = kernel.exports?.get(LAYOUT_SYMBOL)?.crc ?? kernel.importedCrcs.get(LAYOUT_SYMBOL);
  if (wanted === undefined) return skip(`the kernel's CRC of ${LAYOUT_SYMBOL} is not known`);
  const found = crcOf(subject, kernel, LAYOUT_SYMBOL);
  const crcs = {
    wanted: hexOfCrc(wanted),
    found: found === undefined ? undefined : hexOfCrc(found),
    provider: 'vmlinux',
  };
  if (found === undefined) return fail(`it has no CRC of ${LAYOUT_SYMBOL}`, { ...crcs, hint: REBUILD });
  if (found !== wanted) {
    return fail('the kernel lays out its structures in another way', { ...crcs, hint: REBUILD });
  }
  return pass('the kernel lays out its structures as the module expects', crcs);
}

/** Are there tables of CRCs, and are they whole? */
export function checkVersions(subject: Subject, kernel: KernelFacts): Check | undefined {
  const { pass, warn, fail } = resultsOf('versions');
  const { basic, extended, extendedProblem, hasRest } = subject.versions;
  const isExtended = readsExtended(kernel);
  if (isExtended && extendedProblem !== undefined) return fail(extendedProblem);
  if (kernel.hasModversions !== true) return undefined;
  if (basic === undefined && !(isExtended && extended !== undefined)) {
    const message = 'it has no CRCs of the symbols that it uses, which this kernel compares';
    return forcesLoad(kernel)
      ? warn(`${message}: it is loaded, and the kernel is marked as tainted`, { hint: REBUILD })
      : fail(message, { hint: REBUILD });
  }
  if (hasRest) return warn('its table of CRCs ends inside a record, which the kernel passes over');
  return pass('it has CRCs of the symbols that it uses');
}
