import { ModuleError } from '../../errors.ts';

/** Pattern of a kernel release as depmod.d has it; longer ones, or with more repetitions, could take for ever. */
const MAX_LENGTH = 256;
const MAX_REPETITIONS = 4;
const CLASSES: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  xdigit: '0-9A-Fa-f',
  space: '\\s',
};

/**
 * Says whether a kernel release matches the pattern of an `override` or `external` line: `*` is any, all else is a
 * POSIX extended regular expression that may match anywhere. One that is malformed matches nothing, as in depmod.
 *
 * @throws {ModuleError} `INDEX_UNSUPPORTED` for patterns that repeat groups, or have many repetitions.
 */
export function matchesKernel(pattern: string, kernelRelease: string): boolean {
  if (pattern === '*') return true;
  if (pattern.length > MAX_LENGTH) throw tooComplex(pattern);
  const outsideOfBrackets = pattern.replace(/\\./g, '').replace(/\[\^?\]?(?:\[:\w+:\]|[^\]])*\]/g, '');
  const repetitions = outsideOfBrackets.match(/[*+?{]/g)?.length ?? 0;
  if (repetitions > MAX_REPETITIONS || /\)[*+?{]/.test(outsideOfBrackets)) throw tooComplex(pattern);
  if (outsideOfBrackets.includes('(?')) return false;
  try {
    return new RegExp(toJavaScript(pattern)).test(kernelRelease);
  } catch {
    return false;
  }
}

/** glibc skips repetitions that stand before anything to repeat, and knows classes by name. */
function toJavaScript(pattern: string): string {
  return pattern
    .replace(/^[*+?]+/, '')
    .replace(/\[:(\w+):\]/g, (_whole, name: string) => CLASSES[name] ?? '')
    .replace(/\\([^\W_bBsSwW])/g, '$1');
}

function tooComplex(pattern: string): ModuleError {
  const shown = JSON.stringify(pattern.slice(0, MAX_LENGTH));
  return new ModuleError(
    'INDEX_UNSUPPORTED',
    `Cannot match kernel releases: the pattern ${shown} is too complex`,
    {
      hint: 'Use a simpler pattern in depmod.d: no repeated groups, at most four repetitions.',
    },
  );
}
