import type { ModuleEditor } from './module-editor.ts';

/** Writes `.modinfo` again from its strings `key=value`. */
export function editModinfo(module: ModuleEditor, edit: (fields: string[]) => readonly string[]): void {
  const section = module.section('.modinfo');
  const fields = section.data.toString('latin1').split('\0').filter(Boolean);
  section.replace(
    Buffer.from(
      edit(fields)
        .map((field) => `${field}\0`)
        .join(''),
      'latin1',
    ),
  );
}

/** Changes the value of every field of a key. */
export function setField(module: ModuleEditor, key: string, change: (value: string) => string): void {
  editModinfo(module, (fields) =>
    fields.map((field) =>
      field.startsWith(`${key}=`) ? `${key}=${change(field.slice(key.length + 1))}` : field,
    ),
  );
}

export function dropField(module: ModuleEditor, key: string): void {
  editModinfo(module, (fields) => fields.filter((field) => !field.startsWith(`${key}=`)));
}

export function addField(module: ModuleEditor, field: string, where: 'first' | 'last' = 'last'): void {
  editModinfo(module, (fields) => (where === 'first' ? [field, ...fields] : [...fields, field]));
}
