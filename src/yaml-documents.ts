import {
  Composer,
  type CST,
  type Document,
  type DocumentOptions,
  Lexer,
  type LineCounter,
  type ParseOptions,
  Parser,
  type SchemaOptions,
} from 'yaml';

/** Levels of brackets and indentation that are read: what composes them calls itself for each. */
const MAX_LEVELS = 300;

/** YAML that nests deeper than any document that people write. */
export class DeepYaml extends Error {
  /** Offset into the text where it becomes too deep. */
  readonly at: number;

  constructor(at: number) {
    super(`it nests deeper than ${MAX_LEVELS} levels`);
    this.at = at;
  }
}

export interface ReadOptions extends ParseOptions, DocumentOptions, SchemaOptions {
  /** Learns where lines begin. */
  readonly lineCounter?: LineCounter;
}

/**
 * The documents of a text that others wrote, one at least; what is wrong with each is in its `errors`. All that is read
 * as YAML is read here: beyond some thousand levels the library fills the stack, which may end the process.
 *
 * @throws {DeepYaml} as soon as it becomes too deep; nothing of that document has been composed by then.
 */
export function readYamlDocuments(text: string, options: ReadOptions = {}): readonly Document.Parsed[] {
  const { lineCounter, ...rest } = options;
  const composer = new Composer({ prettyErrors: false, logLevel: 'silent', ...rest });
  return [...composer.compose(shallowTokens(text, lineCounter), true, text.length)];
}

function* shallowTokens(text: string, lineCounter: LineCounter | undefined): Iterable<CST.Token> {
  lineCounter?.addNewLine(0);
  const parser = new Parser(lineCounter?.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    // What is open at this place.
    if (parser.stack.length > MAX_LEVELS) throw new DeepYaml(parser.offset);
  }
  yield* parser.end();
}
