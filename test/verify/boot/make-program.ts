/** What a made-up program or library asks for. */
export interface MadeProgram {
  readonly interpreter?: string;
  readonly libraries?: readonly string[];
  readonly runPath?: string;
  /** Written as the older tag. */
  readonly rPath?: string;
  readonly isLittleEndian?: boolean;
}

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
/** Where the only loaded segment starts in memory, so that addresses are not offsets. */
const BASE = 0x400000;

/** A 64-bit ELF file with program headers, a dynamic section and names, and no code. */
export function makeProgram(options: MadeProgram = {}): Buffer {
  const { interpreter, libraries = [], runPath, rPath, isLittleEndian = true } = options;
  const short = (value: number): Buffer => ordered(Buffer.alloc(2), value);
  const half = (value: number): Buffer => ordered(Buffer.alloc(4), value);
  const word = (value: number): Buffer =>
    isLittleEndian ? Buffer.concat([half(value), half(0)]) : Buffer.concat([half(0), half(value)]);
  const ordered = (bytes: Buffer, value: number): Buffer => {
    if (isLittleEndian) bytes.writeUIntLE(value, 0, bytes.length);
    else bytes.writeUIntBE(value, 0, bytes.length);
    return bytes;
  };

  const names = ['', ...libraries, runPath ?? '', rPath ?? ''].map((name) => Buffer.from(`${name}\0`));
  const nameAt = (index: number): number =>
    names.slice(0, index).reduce((sum, { length }) => sum + length, 0);
  const segments = interpreter === undefined ? 2 : 3;
  const interpreterAt = HEADER_BYTES + segments * SEGMENT_BYTES;
  const interpreterBytes = Buffer.from(interpreter === undefined ? '' : `${interpreter}\0`);
  const namesAt = interpreterAt + interpreterBytes.length;
  const table = Buffer.concat(names);
  const dynamicAt = namesAt + table.length;
  const dynamic = Buffer.concat(
    [
      ...libraries.map((_, index) => [1, nameAt(index + 1)] as const),
      [5, BASE + namesAt] as const,
      ...(runPath === undefined ? [] : [[29, nameAt(libraries.length + 1)] as const]),
      ...(rPath === undefined ? [] : [[15, nameAt(libraries.length + 2)] as const]),
      [0, 0] as const,
    ].flatMap(([tag, value]) => [word(tag), word(value)]),
  );
  const size = dynamicAt + dynamic.length;
  const segment = (type: number, offset: number, bytes: number): Buffer =>
    Buffer.concat([
      half(type),
      half(0),
      ...[offset, BASE + offset, BASE + offset, bytes, bytes, 1].map(word),
    ]);
  return Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, isLittleEndian ? 1 : 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ...[short(3), short(62), half(1), word(0), word(HEADER_BYTES), word(0), half(0)],
    ...[HEADER_BYTES, SEGMENT_BYTES, segments, 0, 0, 0].map(short),
    segment(1, 0, size),
    segment(2, dynamicAt, dynamic.length),
    ...(interpreter === undefined ? [] : [segment(3, interpreterAt, interpreterBytes.length)]),
    interpreterBytes,
    table,
    dynamic,
  ]);
}
