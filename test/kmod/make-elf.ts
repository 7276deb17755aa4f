/** A section of a made-up module. */
export interface MadeSection {
  readonly name: string;
  readonly bytes: Buffer;
  readonly type?: number;
  readonly flags?: number;
  /** Name of the section that relocations are for. */
  readonly info?: string;
  /** Said instead of the number of its bytes, for instance by a section without bytes. */
  readonly sizeBytes?: number;
}

/** A symbol of a made-up module; `section` is the name of its section, or the index itself. */
export interface MadeSymbol {
  readonly name: string;
  readonly section?: string | number;
  readonly value?: number;
  readonly isWeak?: boolean;
}

export interface MadeElf {
  readonly is64Bit?: boolean;
  readonly isLittleEndian?: boolean;
  readonly machine?: number;
  /** `e_flags`. */
  readonly headerFlags?: number;
  readonly sections?: readonly MadeSection[];
  readonly symbols?: readonly MadeSymbol[];
}

/** Writes a relocatable ELF file, so that tests can ask for byte orders and oddities that no compiler here makes. */
export function makeElf(options: MadeElf = {}): Buffer {
  const { is64Bit = true, isLittleEndian = true, machine = 62, headerFlags = 0 } = options;
  const { sections = [], symbols = [] } = options;
  const u16 = (value: number): Buffer => ordered(2, value);
  const u32 = (value: number): Buffer => ordered(4, value);
  const word = (value: number): Buffer =>
    !is64Bit ? u32(value) : Buffer.concat(isLittleEndian ? [u32(value), u32(0)] : [u32(0), u32(value)]);
  const ordered = (size: number, value: number): Buffer => {
    const bytes = Buffer.alloc(size);
    if (isLittleEndian) bytes.writeUIntLE(value, 0, size);
    else bytes.writeUIntBE(value, 0, size);
    return bytes;
  };
  const names = makeStrings(symbols.map((symbol) => symbol.name));
  const symtabIndex = sections.length + 1;
  const symtab = [{ name: '', isWeak: false, section: 0, value: 0 }, ...symbols].map((symbol) => {
    const at =
      typeof symbol.section === 'string'
        ? 1 + sections.findIndex((section) => section.name === symbol.section)
        : (symbol.section ?? 0);
    const info = Buffer.from([(symbol.isWeak === true ? 2 : 1) << 4, 0]);
    const name = u32(names.offsetOf(symbol.name));
    const value = word(symbol.value ?? 0);
    return Buffer.concat(
      is64Bit ? [name, info, u16(at), value, word(0)] : [name, value, word(0), info, u16(at)],
    );
  });
  const all: (MadeSection & { readonly type: number })[] = [
    { name: '', bytes: Buffer.alloc(0), type: 0 },
    ...sections.map((section) => ({ type: 1, ...section })),
    { name: '.symtab', bytes: Buffer.concat(symtab), type: 2 },
    { name: '.strtab', bytes: names.bytes, type: 3 },
  ];
  const sectionNames = makeStrings([...all.map((section) => section.name), '.shstrtab']);
  all.push({ name: '.shstrtab', bytes: sectionNames.bytes, type: 3 });

  const headerBytes = is64Bit ? 64 : 52;
  const bodies: Buffer[] = [];
  const headers: Buffer[] = [];
  let offset = headerBytes;
  for (const { name, bytes, type, flags = 0, info, sizeBytes = bytes.length } of all) {
    const link = type === 2 ? symtabIndex + 1 : info === undefined ? 0 : symtabIndex;
    headers.push(
      Buffer.concat([
        u32(sectionNames.offsetOf(name)),
        u32(type),
        word(flags),
        word(0),
        word(offset),
        word(sizeBytes),
        u32(link),
        u32(info === undefined ? 0 : all.findIndex((section) => section.name === info)),
        word(1),
        word(0),
      ]),
    );
    bodies.push(bytes);
    offset += bytes.length;
  }
  const header = Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, is64Bit ? 2 : 1, isLittleEndian ? 1 : 2, 1]),
    Buffer.alloc(9),
    ...[1, machine].map(u16),
    u32(1),
    ...[0, 0, offset].map(word),
    u32(headerFlags),
    ...[headerBytes, 0, 0, is64Bit ? 64 : 40, all.length, all.length - 1].map(u16),
  ]);
  return Buffer.concat([header, ...bodies, ...headers]);
}

function makeStrings(names: readonly string[]): { bytes: Buffer; offsetOf: (name: string) => number } {
  const offsets = new Map<string, number>([['', 0]]);
  let text = '\0';
  for (const name of names) {
    if (offsets.has(name)) continue;
    offsets.set(name, text.length);
    text += `${name}\0`;
  }
  return { bytes: Buffer.from(text, 'latin1'), offsetOf: (name) => offsets.get(name) ?? 0 };
}
