import { SpecError } from '../errors.ts';

/** Characters of kernel releases, and what regular expressions of Go and of JavaScript mean the same by. */
const PATTERN =
  /^(?:[A-Za-z0-9_~+*?^$|.-]|\\[.+dDwWsS]|\((?:\?:)?|\)|\[\^?(?:[A-Za-z0-9_.~+-]|\\[.+dw-])+\])+$/;

/**
 * Reads a regular expression for kernel releases, of a kind that Go's RE2 and JavaScript read alike. It may match in the
 * middle of a release unless it has `^` and `$`.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseKernelPattern(text: string): string {
  if (text.length <= 500 && PATTERN.test(text) && compiles(text)) return text;
  throw new SpecError('VALUE_INVALID', `Cannot use ${JSON.stringify(text.slice(0, 200))} as kernels`, {
    hint: String.raw`Write a plain regular expression such as ^5\.14\.0-427\..*\.x86_64$, without "{}" and lookaround.`,
  });
}

function compiles(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}
