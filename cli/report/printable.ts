/** CSI, OSC and other escape sequences of terminals. */
const ESCAPE_SEQUENCES =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[ -/]*[0-~])/g;

/** Control characters but tab and newline, what turns the direction of text, and halves of surrogate pairs. */
export const UNPRINTABLE =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Surrogate}/gu;

/**
 * Text from outside as it can stand in a document: escape sequences of terminals are gone, and what would not be seen
 * or would change how other text looks is U+FFFD. Line ends are `\n`.
 */
export function printable(text: string): string {
  return text
    .replaceAll(ESCAPE_SEQUENCES, '')
    .replaceAll(/\r(?=[\r\n])/g, '')
    .replaceAll(UNPRINTABLE, '\u{fffd}');
}
