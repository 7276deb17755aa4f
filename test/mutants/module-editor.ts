/**
 * Changes bytes of an x86_64 kernel module by hand, right or wrong. Shares no code with the product, on purpose: what
 * the product takes an ELF file for must not decide what the kernel is shown.
 *
 * New content goes to the end of the file, where its header then points; the old content stays where it was.
 */
export class ModuleEditor {
  bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  /** A field of the ELF header. */
  header(name: keyof typeof HEADER, value: number): void {
    write(this.bytes, 0, HEADER[name], value);
  }

  readHeader(name: keyof typeof HEADER): number {
    return read(this.bytes, 0, HEADER[name]);
  }

  get sections(): readonly SectionEditor[] {
    return Array.from({ length: this.readHeader('e_shnum') }, (_, index) => new SectionEditor(this, index));
  }

  /** @throws {Error} When there is none of that name. */
  section(name: string): SectionEditor {
    return found(this.findSection(name), `section ${name}`);
  }

  findSection(name: string): SectionEditor | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** Appends bytes to the file and says where they start. */
  append(data: Uint8Array): number {
    const padding = Buffer.alloc(-this.bytes.length & 63);
    const at = this.bytes.length + padding.length;
    this.bytes = Buffer.concat([this.bytes, padding, data]);
    return at;
  }

  /** One more section; the table of headers moves to the end of the file. */
  addSection(section: { name: string; type: number; flags?: number; link?: number; data: Uint8Array }): void {
    const count = this.readHeader('e_shnum');
    const start = this.readHeader('e_shoff');
    const header = Buffer.alloc(SECTION_BYTES);
    write(header, 0, SECTION.type, section.type);
    write(header, 0, SECTION.flags, section.flags ?? 0);
    write(header, 0, SECTION.link, section.link ?? 0);
    write(header, 0, SECTION.align, 1);
    write(header, 0, SECTION.offset, this.append(section.data));
    write(header, 0, SECTION.size, section.data.length);
    const table = this.bytes.subarray(start, start + count * SECTION_BYTES);
    this.header('e_shoff', this.append(Buffer.concat([table, header])));
    this.header('e_shnum', count + 1);
    found(this.sections[count], 'the new section').rename(section.name);
  }

  get symbols(): readonly SymbolEditor[] {
    const count = this.section('.symtab').get('size') / SYMBOL_BYTES;
    return Array.from({ length: count }, (_, index) => new SymbolEditor(this, index));
  }

  /** @throws {Error} When there is none of that name. */
  symbol(name: string): SymbolEditor {
    return found(
      this.symbols.find((symbol) => symbol.name === name),
      `symbol ${name}`,
    );
  }

  /** A new last symbol, undefined unless told otherwise. */
  addSymbol(name: string, fields: { section?: number; value?: number; info?: number } = {}): void {
    const table = this.section('.symtab');
    table.replace(Buffer.concat([table.data, Buffer.alloc(SYMBOL_BYTES)]));
    const symbol = found(this.symbols.at(-1), 'the new symbol');
    symbol.rename(name);
    symbol.set('section', fields.section ?? 0);
    symbol.set('value', fields.value ?? 0);
    symbol.set('info', fields.info ?? 0x10);
  }

  /** First relocation of a section such as `.rela.text`. */
  relocation(section: string): RelocationEditor {
    return new RelocationEditor(this, this.section(section).get('offset'));
  }
}

class Editor {
  protected readonly module: ModuleEditor;

  constructor(module: ModuleEditor) {
    this.module = module;
  }
}

export class SectionEditor extends Editor {
  readonly index: number;

  constructor(module: ModuleEditor, index: number) {
    super(module);
    this.index = index;
  }

  get #at(): number {
    return this.module.readHeader('e_shoff') + this.index * SECTION_BYTES;
  }

  get(field: keyof typeof SECTION): number {
    return read(this.module.bytes, this.#at, SECTION[field]);
  }

  set(field: keyof typeof SECTION, value: number): void {
    write(this.module.bytes, this.#at, SECTION[field], value);
  }

  get name(): string {
    const names = new SectionEditor(this.module, this.module.readHeader('e_shstrndx'));
    return textAt(this.module.bytes, names.get('offset') + this.get('name'));
  }

  rename(name: string): void {
    const names = new SectionEditor(this.module, this.module.readHeader('e_shstrndx'));
    const start = names.get('size');
    names.replace(Buffer.concat([names.data, Buffer.from(`${name}\0`)]));
    this.set('name', start);
  }

  get data(): Buffer {
    const offset = this.get('offset');
    return Buffer.from(this.module.bytes.subarray(offset, offset + this.get('size')));
  }

  replace(data: Uint8Array): void {
    this.set('offset', this.module.append(data));
    this.set('size', data.length);
  }

  /** Changes bytes where they are. */
  patch(at: number, data: Uint8Array): void {
    this.module.bytes.set(data, this.get('offset') + at);
  }
}

export class SymbolEditor extends Editor {
  readonly index: number;

  constructor(module: ModuleEditor, index: number) {
    super(module);
    this.index = index;
  }

  get #at(): number {
    return this.module.section('.symtab').get('offset') + this.index * SYMBOL_BYTES;
  }

  get(field: keyof typeof SYMBOL): number {
    return read(this.module.bytes, this.#at, SYMBOL[field]);
  }

  set(field: keyof typeof SYMBOL, value: number): void {
    write(this.module.bytes, this.#at, SYMBOL[field], value);
  }

  get name(): string {
    return textAt(this.module.bytes, this.module.section('.strtab').get('offset') + this.get('name'));
  }

  rename(name: string): void {
    const names = this.module.section('.strtab');
    const start = names.get('size');
    names.replace(Buffer.concat([names.data, Buffer.from(`${name}\0`)]));
    this.set('name', start);
  }
}

/** One entry of a `.rela` section, by its place in the file. */
export class RelocationEditor extends Editor {
  readonly #at: number;

  constructor(module: ModuleEditor, at: number) {
    super(module);
    this.#at = at;
  }

  get(field: keyof typeof RELOCATION): number {
    return read(this.module.bytes, this.#at, RELOCATION[field]);
  }

  set(field: keyof typeof RELOCATION, value: number): void {
    write(this.module.bytes, this.#at, RELOCATION[field], value);
  }
}

const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;

/** Where a field is, and how many bytes it has. */
type Field = readonly [at: number, sizeBytes: 1 | 2 | 4 | 8];

const HEADER = {
  magic: [0, 4],
  class: [4, 1],
  order: [5, 1],
  version: [6, 1],
  e_type: [16, 2],
  e_machine: [18, 2],
  e_version: [20, 4],
  e_shoff: [40, 8],
  e_flags: [48, 4],
  e_shentsize: [58, 2],
  e_shnum: [60, 2],
  e_shstrndx: [62, 2],
} as const satisfies Record<string, Field>;

const SECTION = {
  name: [0, 4],
  type: [4, 4],
  flags: [8, 8],
  address: [16, 8],
  offset: [24, 8],
  size: [32, 8],
  link: [40, 4],
  info: [44, 4],
  align: [48, 8],
  entrySize: [56, 8],
} as const satisfies Record<string, Field>;

const SYMBOL = {
  name: [0, 4],
  info: [4, 1],
  section: [6, 2],
  value: [8, 8],
} as const satisfies Record<string, Field>;

const RELOCATION = { offset: [0, 8], type: [8, 4], symbol: [12, 4] } as const satisfies Record<string, Field>;

function read(bytes: Buffer, base: number, [at, sizeBytes]: Field): number {
  if (sizeBytes === 8) return Number(bytes.readBigUInt64LE(base + at));
  return bytes.readUIntLE(base + at, sizeBytes);
}

function write(bytes: Buffer, base: number, [at, sizeBytes]: Field, value: number): void {
  if (sizeBytes === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), base + at);
  else bytes.writeUIntLE(value, base + at, sizeBytes);
}

function textAt(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`The module has no ${what}`);
  return value;
}
