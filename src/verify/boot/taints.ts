/** What each bit of `/proc/sys/kernel/tainted` stands for: its letter, and in words. */
const TAINTS: readonly (readonly [letter: string, words: string])[] = [
  ['P', 'proprietary module'],
  ['F', 'module loaded by force'],
  ['S', 'hardware out of its specification'],
  ['R', 'module unloaded by force'],
  ['M', 'machine check'],
  ['B', 'bad page'],
  ['U', 'asked for by user space'],
  ['D', 'kernel died'],
  ['A', 'ACPI table overridden'],
  ['W', 'kernel warned'],
  ['C', 'staging driver'],
  ['I', 'firmware bug worked around'],
  ['O', 'out-of-tree module'],
  ['E', 'unsigned module'],
  ['L', 'soft lockup'],
  ['K', 'live patch'],
  ['X', 'auxiliary taint of the distribution'],
  ['T', 'randomised structures'],
  ['N', 'in-kernel test'],
];

/**
 * The flags of a taint in words, for instance `out-of-tree module (O)`.
 *
 * @see linux `Documentation/admin-guide/tainted-kernels.rst`
 */
export function describeTaints(tainted: number): readonly string[] {
  const words: string[] = [];
  for (let bit = 0, rest = tainted; rest >= 1; bit++, rest = Math.floor(rest / 2)) {
    if (rest % 2 < 1) continue;
    const [letter, text] = TAINTS[bit] ?? [];
    words.push(letter === undefined || text === undefined ? `bit ${bit}` : `${text} (${letter})`);
  }
  return words;
}
