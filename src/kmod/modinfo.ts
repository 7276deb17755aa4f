import { ModuleError } from '../errors.ts';
import type { ModinfoField } from './module.ts';

/** Most fields that a module may have; the largest alias lists of real kernels have some thousands. */
const MAX_FIELDS = 2 ** 18;

/**
 * The fields of a `.modinfo` section in their order: strings `key=value`, each with a NUL after it. A string without
 * `=` is a key with an empty value, as libkmod reads it.
 *
 * @throws {ModuleError} `MODINFO_INVALID` for more fields than any module has.
 */
export function parseModinfo(section: Buffer): readonly ModinfoField[] {
  const fields: ModinfoField[] = [];
  let start = 0;
  while (start < section.length) {
    const nul = section.indexOf(0, start);
    const end = nul < 0 ? section.length : nul;
    if (end > start) {
      if (fields.length === MAX_FIELDS) {
        throw new ModuleError(
          'MODINFO_INVALID',
          `Cannot read a module: it has more than ${MAX_FIELDS} fields of modinfo`,
          {
            hint: 'The file is damaged, or is no kernel module.',
          },
        );
      }
      fields.push(toField(section.toString('utf8', start, end)));
    }
    start = end + 1;
  }
  return fields;
}

function toField(text: string): ModinfoField {
  const equals = text.indexOf('=');
  if (equals < 0) return { key: text, value: '' };
  return { key: text.slice(0, equals), value: text.slice(equals + 1) };
}
