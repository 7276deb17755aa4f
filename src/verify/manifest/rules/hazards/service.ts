import type { FileEntry, MachineConfig, UnitEntry } from '../../machine-config.ts';
import { readUnitFile, type UnitFile, type UnitOption } from '../../unit-file.ts';

/** A service with what it runs, as far as this config says it. */
export interface Service {
  readonly unit: UnitEntry;
  /** The unit with its drop-ins. */
  readonly file: UnitFile;
  readonly scripts: readonly Script[];
  /** Commands of the unit, and the code of its scripts without comments. */
  readonly code: string;
}

export interface Script {
  readonly entry: FileEntry;
  readonly text: string;
  /** systemd starts it itself, and no interpreter that the command names. */
  readonly isProgram: boolean;
}

/** The services of a MachineConfig that are not masked. */
export function servicesOf({ units, files }: MachineConfig): readonly Service[] {
  const byPath = new Map(files.map((entry) => [entry.path, entry]));
  return units.flatMap((unit): Service[] => {
    const parsed = unit.parsed();
    if (!unit.name.endsWith('.service') || unit.isMasked || parsed === undefined) return [];
    const dropIns = unit.dropIns.map(({ contents }) => readUnitFile(contents ?? ''));
    const file: UnitFile = {
      sections: [parsed, ...dropIns].flatMap(({ sections }) => sections),
      options: [parsed, ...dropIns].flatMap(({ options }) => options),
      problems: [],
    };
    const commands = file.options.filter(isCommand).map(({ value }) => value);
    const programs = new Set(commands.map(programOf));
    const words = new Set(commands.flatMap((command) => command.split(/[\s"';]+/).map(programOf)));
    const scripts = [...words].flatMap((word): Script[] => {
      const entry = byPath.get(word);
      const content = entry?.content();
      if (entry === undefined || content?.kind !== 'bytes' || content.bytes.length > MAX_SCRIPT) return [];
      const text = content.bytes.toString('utf8');
      const isProgram = programs.has(word);
      // Other files that a command names are what it reads.
      return text.startsWith('\x7fELF') || !(isProgram || text.startsWith('#!'))
        ? []
        : [{ entry, text, isProgram }];
    });
    const code = [...commands, ...scripts.map(({ text }) => withoutComments(text))].join('\n');
    return [{ unit, file, scripts, code }];
  });
}

/** Larger files are no scripts that people wrote. */
const MAX_SCRIPT = 256 * 1024;

/** The first word of a command, without what systemd reads before it. */
function programOf(command: string): string {
  return (command.split(/\s+/)[0] ?? '').replace(/^[-@:+!|]+/, '');
}

/** Whether an option of a unit runs something. */
export function isCommand({ section, name }: UnitOption): boolean {
  return (
    section === 'Service' && /^Exec(?:Start|StartPre|StartPost|Condition|Reload|Stop|StopPost)$/.test(name)
  );
}

/** Lines that are comments, but not what follows code on a line: "#" begins a comment only sometimes. */
export function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n');
}
