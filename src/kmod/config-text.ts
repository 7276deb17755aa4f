/**
 * The lines of a configuration file as kmod reads them: a backslash goes away and takes the end of its line with it, or
 * makes the next character a plain one. A pattern `6\.1` is therefore `6.1`, unless it is written `6\\.1`.
 *
 * @see kmod, `shared/util.c`, `freadline_wrapped()`
 */
export function readConfigLines(text: string): readonly string[] {
  return text.replaceAll(/\\([\s\S])/g, (_, char: string) => (char === '\n' ? '' : char)).split('\n');
}
