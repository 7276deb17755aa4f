import { MERGED_FILES } from '../../../kmod/depmod/index-format.ts';
import type { Finding } from '../../report.ts';
import { type dependencyIndex, dependencyIndex as readDependencies, isSameIndex } from '../index-content.ts';
import { moduleDirectory } from '../kernel-paths.ts';
import type { LintInput } from '../lint-input.ts';
import { namesOf } from '../words.ts';

/**
 * Compares the image's indexes with what depmod writes for its tree.
 *
 * @param found What `modules.dep.bin` of the image says.
 */
export function notFromDepmod(
  { kernel, tree, indexes, baseIndexes, expected }: LintInput,
  found: ReturnType<typeof dependencyIndex>,
): Finding[] {
  const directory = moduleDirectory(kernel);
  if (expected === undefined) return [];
  if (expected.kind === 'refused') {
    return [
      {
        rule: expected.isFatal ? 'index-impossible' : 'index-unchecked',
        severity: expected.isFatal ? 'error' : 'note',
        path: `${directory}modules.dep`,
        message: expected.isFatal
          ? `no depmod can index this tree reliably: ${expected.why}`
          : `whether the indexes are those that depmod writes was not checked: ${expected.why}`,
        hint: expected.hint,
      },
    ];
  }
  const wanted = (name: string): Uint8Array | undefined => expected.files.get(name) ?? baseIndexes.get(name);
  const differing = MERGED_FILES.filter((name) => {
    const [mine, theirs] = [wanted(name), indexes.get(name)];
    if (mine === undefined || theirs === undefined) return mine !== undefined && mine.length > 0;
    if (Buffer.compare(mine, theirs) === 0) return false;
    return !name.endsWith('.bin') || !isSameIndex(mine, theirs);
  });
  const [first] = differing;
  if (first === undefined) return [];
  const lacking = lackingNeeds(wanted('modules.dep.bin'), found);
  return [
    {
      rule: 'index-not-depmod',
      severity: lacking === undefined ? 'warning' : 'error',
      path: directory + first,
      layer: tree.entries.get(directory + first)?.layer.descriptor.digest,
      message: `${namesOf(differing)} ${differing.length === 1 ? 'is' : 'are'} not what depmod writes for this tree: ${
        lacking ?? 'modules may be found in another order, or by fewer aliases, than after the next depmod'
      }`,
      hint: 'Run depmod -a for the kernel of the image as the last step, or add the modules with kmodlayer.',
    },
  ];
}

/** What modprobe would not load although a module needs it. */
function lackingNeeds(
  wanted: Uint8Array | undefined,
  found: ReturnType<typeof dependencyIndex>,
): string | undefined {
  if (wanted === undefined) return undefined;
  for (const [name, { needs }] of readDependencies(wanted)) {
    const there = new Set(found.get(name)?.needs ?? []);
    const lacking = needs.filter((path) => !there.has(path));
    if (lacking.length > 0)
      return `modprobe would load ${name} without ${namesOf(lacking)}, and the kernel would not find symbols`;
  }
  return undefined;
}
