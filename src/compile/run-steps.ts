/** What begins a text that a shell reads up to a word, `<<EOF` or `<<-"EOF"`; `<<<` begins none. */
const HEREDOC = /(?<=^|\s)\d*<<(-?)(["']?)([A-Za-z_][\w.-]*)\2(?=[\s;|&<>)]|$)/g;
/** Steps whose lines may be followed by such texts. */
const WITH_HEREDOCS = /^[ \t]*(?:RUN|COPY|ADD)[ \t]/i;

/** Puts flags behind each `RUN` of a Containerfile; lines that are part of another step stay as they are. */
export function withRunFlags(containerfile: string, flags: string): string {
  const lines = containerfile.split('\n');
  // The directive counts among the first comments alone; further down it is a comment like any other.
  const escape = /^(?:[ \t]*#.*\n)*?[ \t]*#[ \t]*escape[ \t]*=[ \t]*`/i.test(containerfile) ? '`' : '\\';
  for (let at = 0; at < lines.length; at++) {
    const first = lines[at] ?? '';
    if (isNoStep(first)) continue;
    lines[at] = first.replace(/^[ \t]*RUN[ \t]+/i, (step) => step + flags);
    const step = [first];
    while (continues(lines[at] ?? '', escape, step.length > 1) && at + 1 < lines.length) {
      at++;
      step.push(lines[at] ?? '');
    }
    if (!WITH_HEREDOCS.test(first)) continue;
    const code = step.filter((line, position) => position === 0 || !isNoStep(line)).join('\n');
    for (const [, dash, , word] of code.matchAll(HEREDOC)) {
      const end = lines.findIndex(
        (line, position) => position > at && (dash === '-' ? line.replace(/^\t+/, '') : line) === word,
      );
      if (end > 0) at = end;
    }
  }
  return lines.join('\n');
}

/** A comment, or nothing; within a step as well, where it does not end the step. */
function isNoStep(line: string): boolean {
  return /^[ \t\r]*(?:#.*)?$/.test(line);
}

function continues(line: string, escape: string, isWithin: boolean): boolean {
  return (isWithin && isNoStep(line)) || line.trimEnd().endsWith(escape);
}
