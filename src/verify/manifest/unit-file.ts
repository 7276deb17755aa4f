/** One assignment in a unit of systemd. */
export interface UnitOption {
  readonly section: string;
  readonly name: string;
  /** With lines that were continued joined by a blank. */
  readonly value: string;
  /** Line in the unit, from 0, where it begins. */
  readonly line: number;
}

export interface UnitProblem {
  readonly line: number;
  readonly message: string;
  /** Nothing reads the unit at all. */
  readonly isFatal: boolean;
}

/** A unit or drop-in as systemd reads it. */
export interface UnitFile {
  readonly sections: readonly string[];
  readonly options: readonly UnitOption[];
  readonly problems: readonly UnitProblem[];
}

/** Lines that the parser of Ignition refuses to read, in bytes. @see go-systemd, `unit/deserialize.go` */
const MAX_LINE = 2048;

/**
 * Reads the text of a unit.
 *
 * @see systemd.syntax(7)
 */
export function readUnitFile(text: string): UnitFile {
  const sections: string[] = [];
  const options: UnitOption[] = [];
  const problems: UnitProblem[] = [];
  const say = (line: number, message: string, isFatal = true): void =>
    void problems.push({ line, message, isFatal });
  const lines = text.split('\n');
  let section: string | undefined;
  for (let at = 0; at < lines.length; at++) {
    const start = at;
    const line = (lines[at] ?? '').replace(/\r$/, '').trim();
    if (line === '' || /^[#;]/.test(line)) continue;
    if (line.startsWith('[')) {
      if (!/^\[[^\[\]]+\]$/.test(line))
        say(
          start,
          `${shortened(line)} is no section: the closing bracket is missing, or something follows it`,
        );
      else sections.push((section = line.slice(1, -1)));
      continue;
    }
    const equals = line.indexOf('=');
    if (equals <= 0) {
      say(start, `${shortened(line)} is neither a section nor an assignment`);
      continue;
    }
    const values = [line.slice(equals + 1)];
    while (/\\$/.test(values.at(-1) ?? '') && at + 1 < lines.length) {
      values.push((values.pop() ?? '').slice(0, -1));
      let next = (lines[++at] ?? '').replace(/\r$/, '');
      // Comments may stand between lines that are continued.
      while (/^\s*[#;]/.test(next) && at + 1 < lines.length) next = (lines[++at] ?? '').replace(/\r$/, '');
      values.push(next.replace(/\s+$/, ''));
    }
    if (lines.slice(start, at + 1).some((part) => Buffer.byteLength(part) > MAX_LINE))
      say(start, `a line has more than ${MAX_LINE} bytes, and Ignition's parser reads no longer ones`);
    if (section === undefined) {
      say(start, `${shortened(line)} stands before any section, and systemd ignores it`, false);
      continue;
    }
    options.push({
      section,
      name: line.slice(0, equals).trim(),
      value: values.join(' ').trim(),
      line: start,
    });
  }
  return { sections, options, problems };
}

/** Values of an option, in order; an empty one takes back those before it. */
export function optionValues(unit: UnitFile, section: string, name: string): readonly string[] {
  let values: string[] = [];
  for (const option of unit.options) {
    if (option.section !== section || option.name !== name) continue;
    values = option.value === '' ? [] : [...values, option.value];
  }
  return values;
}

/** Words of a list such as that of `After=`, of all lines together. */
export function optionWords(unit: UnitFile, section: string, name: string): readonly string[] {
  return optionValues(unit, section, name).flatMap((value) =>
    value.split(/\s+/).filter((word) => word !== ''),
  );
}

/** Unit text may hold anything; what is quoted in a message is short. */
function shortened(line: string): string {
  return JSON.stringify(line.length <= 40 ? line : `${line.slice(0, 40)}...`);
}
