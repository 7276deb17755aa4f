import type { Brand } from '../brand.ts';
import { SpecError } from '../errors.ts';

/** The name of a systemd unit with its suffix, for instance `load-ice.service`. */
export type UnitName = Brand<string, 'UnitName'>;

/** What stands behind the `=` of a directive, quoted as systemd reads it. Only functions of this file make it. */
export type UnitValue = Brand<string, 'UnitValue'>;

/** A line of a unit. Its key is text of ours, its value was quoted. */
export type Directive = readonly [key: string, value: UnitValue];

/** Lines to add to the sections of a unit. */
export type Directives = Readonly<Partial<Record<'Unit' | 'Service' | 'Install', readonly Directive[]>>>;

/** A unit as Ignition and the Machine Config Operator write it. */
export interface SystemdUnit {
  readonly name: UnitName;
  readonly enabled?: boolean;
  /** A masked unit never starts, whoever asks for it. */
  readonly mask?: boolean;
  readonly contents?: string;
}

const UNIT_NAME =
  /^[A-Za-z0-9:_.-]{1,200}(?:@[A-Za-z0-9:_.-]{0,50})?\.(?:service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;

/**
 * Reads the name of a unit.
 *
 * @throws {SpecError} `VALUE_INVALID`.
 */
export function parseUnitName(text: string): UnitName {
  if (!UNIT_NAME.test(text)) {
    throw new SpecError('VALUE_INVALID', `Cannot use unit name ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'Use letters, digits and ":_.-", with a suffix such as ".service".',
    });
  }
  return text as UnitName;
}

/**
 * Plain text of a directive that does not know quotes: `Description=`, `ConditionPathExists=`, `After=`, a number. A `%`
 * would start a specifier and is doubled.
 *
 * @throws {SpecError} `VALUE_INVALID` for what a unit cannot hold: line ends, NUL, spaces at an end, a `\` at the end.
 */
export function unitText(text: string): UnitValue {
  if (text.trim() !== text || text.endsWith('\\')) throw cannotHold(text);
  return escapePercent(checked(text)) as UnitValue;
}

/**
 * One assignment of `Environment=`, which the service gets exactly as it is here.
 *
 * @throws {SpecError} `VALUE_INVALID` for a name that no shell could use, and for line ends and other control characters.
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html#Quoting
 */
export function unitVariable(name: string, value: string): UnitValue {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) throw cannotHold(name);
  return quoted(`${name}=${value}`);
}

/**
 * A command of `ExecStart=` and the like: each word reaches the program as it is here. `$` would start a variable.
 *
 * @throws {SpecError} `VALUE_INVALID` for a program without an absolute path, and for control characters.
 */
export function unitCommand(program: string, ...words: readonly string[]): UnitValue {
  if (!/^\/[A-Za-z0-9._+@/-]+$/.test(program)) throw cannotHold(program);
  return [program, ...words.map((word) => quoted(word).replaceAll('$', '$$$$'))].join(' ') as UnitValue;
}

/**
 * The text of a unit: a file of `machineconfigs/` with lines added at the ends of its sections.
 *
 * @param template Text of ours; nothing in it comes from outside.
 */
export function fillUnit(template: string, added: Directives): string {
  const blocks = template.trimEnd().split(/\n\n(?=\[)/);
  const filled = blocks.map((block) => {
    const section = /^\[(Unit|Service|Install)\]$/m.exec(block)?.[1] as keyof Directives | undefined;
    const lines = section === undefined ? [] : (added[section] ?? []);
    return [block.trimEnd(), ...lines.map(([key, value]) => `${key}=${value}`)].join('\n');
  });
  return `${filled.join('\n\n')}\n`;
}

function quoted(text: string): UnitValue {
  return `"${escapePercent(checked(text)).replaceAll(/["\\]/g, '\\$&')}"` as UnitValue;
}

function escapePercent(text: string): string {
  return text.replaceAll('%', '%%');
}

/** Lone surrogates would not survive as UTF-8. */
function checked(text: string): string {
  if (text.length > 65_536 || /[\0-\x1f\x7f-\x9f\u2028\u2029]|\p{Surrogate}/u.test(text)) {
    throw cannotHold(text);
  }
  return text;
}

function cannotHold(text: string): SpecError {
  return new SpecError('VALUE_INVALID', `A unit cannot hold ${JSON.stringify(text.slice(0, 200))}`, {
    hint: 'Write one line without control characters.',
  });
}
