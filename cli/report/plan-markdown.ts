import type { BuildPlan } from '../../src/build.ts';
import type { DriverSet } from '../../src/spec/spec.ts';
import { plainLine } from './error-text.ts';
import { riskText, risksOf } from './left-out.ts';
import { byKernel } from './plan-text.ts';

/** A table of kernels, and of the releases that have them, as release notes show it. */
export function planMarkdown(set: DriverSet, planned: BuildPlan): string {
  const drivers = set.drivers.map(({ name, version }) => `${name} ${version}`);
  const rows = byKernel(planned).map(({ kernel, arch, images, kmodImages, compiles }) => {
    const targets = kmodImages.flatMap((unit) => unit.targets).concat(images.map(({ target }) => target));
    const releases = [...new Set(targets.map(({ release }) => release.version))];
    const rhel = [...new Set(targets.map(({ rhelVersion }) => rhelVersion))].filter(
      (version) => version !== '',
    );
    const built = compiles.map(({ driver }) => driver.version);
    return [`\`${kernel}\``, arch, rhel.join(', '), releases.join(', '), ...built];
  });
  const table = markdownTable(
    ['Kernel', 'Architecture', 'RHEL', 'OpenShift', ...set.drivers.map(({ name }) => name)],
    rows,
  );
  const blocked = planned.failures.map(
    ({ what, error }) => `- ${cell(what)}: ${cell(error instanceof Error ? error.message : String(error))}\n`,
  );
  const leftOut = planned.excluded.map(({ version, because }) => `- ${version}: ${cell(because)}\n`);
  const risks = risksOf(planned).map((risk) => `- ${cell(riskText(risk))}\n`);
  return (
    `Kernels and releases of ${drivers.map(cell).join(', ')}:\n\n${table}` +
    listOf('Not built', blocked) +
    listOf('Left out', leftOut) +
    listOf('Updates that are recommended to some clusters only', risks)
  );
}

function listOf(heading: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `\n${heading}:\n\n${lines.join('')}`;
}

function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |\n`;
  return `${line(header)}${line(header.map(() => '---'))}${rows.map(line).join('')}`;
}

/** Text that is one cell of a table, whatever it holds. */
function cell(text: string): string {
  return plainLine(text).replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
