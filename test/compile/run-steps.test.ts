import { describe, expect, it } from 'vitest';
import { withRunFlags } from '../../src/compile/run-steps.ts';

const FLAG = '--mount=x ';

describe('withRunFlags()', () => {
  it('finds each step, also one that begins on a line of its own', () => {
    const text = 'FROM a\nRUN one\n  run two \\\n  more\nRUN \\\n  three\n';

    expect(withRunFlags(text, FLAG)).toBe(
      'FROM a\nRUN --mount=x one\n  run --mount=x two \\\n  more\nRUN --mount=x \\\n  three\n',
    );
  });

  it.each([
    ['a line that continues another', 'RUN echo \\\n  RUN this\nENV A=\\\nRUN me\n'],
    ['a comment within a step', 'RUN echo \\\n# a comment\n\n  RUN this\n'],
    ['a heredoc', "RUN <<EOF\nRUN inside\nEOF\nCOPY <<-'A' <<B /x/\nRUN a\n\tA\nRUN b\nB\n"],
    ['a heredoc of a step of several lines', 'RUN one && \\\n  cat <<"EOF" >x\nRUN inside\nEOF\n'],
    ['a line that a directive lets continue', '# escape=`\nRUN one `\n  RUN two\n'],
  ])('leaves %s', (_what, text) => {
    const first = text.startsWith('RUN') ? 0 : text.indexOf('RUN');

    expect(withRunFlags(text, FLAG)).toBe(`${text.slice(0, first)}RUN ${FLAG}${text.slice(first + 4)}`);
  });

  it.each([
    ['a here-string', 'RUN cat <<<EOF\n'],
    ['a shift', 'RUN echo $((1<<two))\n'],
    ['a heredoc that does not end', 'RUN cat <<EOF\n'],
    ['a step that cannot have one', 'ENV A="<<EOF "\nLABEL b= <<EOF\n'],
  ])('goes on behind %s', (_what, text) => {
    expect(withRunFlags(`${text}RUN next\n`, FLAG).endsWith('RUN --mount=x next\n')).toBe(true);
  });
});
