import { BootError } from '../../errors.ts';

/** What a program or library asks of the one who starts it. */
export interface ElfNeeds {
  /** Path of the dynamic linker; undefined for libraries and programs that are whole in themselves. */
  readonly interpreter: string | undefined;
  /** Names of libraries, in their order. */
  readonly libraries: readonly string[];
  /** Directories to look into before the usual ones; `$ORIGIN` stands for the directory of the file. */
  readonly searchPath: readonly string[];
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

const MAX_HEADERS = 1000;
const MAX_ENTRIES = 10_000;
const MAX_NAME_BYTES = 4096;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly sizeBytes: number;
}

/**
 * What a 64-bit ELF program or library needs; undefined for a file that is none.
 *
 * @throws {BootError} `USERLAND_INVALID` for one whose tables leave the file, or that claims too much.
 * @see System V ABI, chapter 5, "Dynamic Linking"
 */
export function findElfNeeds(input: Uint8Array): ElfNeeds | undefined {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2) return undefined;
  const isLittleEndian = bytes[5] === 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const short = (at: number): number => view.getUint16(at, isLittleEndian);
  const word = (at: number): number => {
    const value = Number(view.getBigUint64(at, isLittleEndian));
    // Beyond any file; arithmetic with it stays exact enough to be refused.
    return Math.min(value, 2 ** 52);
  };
  const tableAt = word(32);
  const entryBytes = short(54);
  const count = short(56);
  if (count > MAX_HEADERS || entryBytes !== 56 || tableAt + count * entryBytes > bytes.length)
    throw invalid('its program headers');
  const segments = Array.from({ length: count }, (_, index): Segment => {
    const at = tableAt + index * entryBytes;
    return {
      type: view.getUint32(at, isLittleEndian),
      offset: word(at + 8),
      address: word(at + 16),
      sizeBytes: word(at + 32),
    };
  });
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  return {
    interpreter: interpreter === undefined ? undefined : nameAt(bytes, interpreter.offset),
    ...(dynamic === undefined
      ? { libraries: [], searchPath: [] }
      : readDynamic({ bytes, word, segments }, dynamic)),
  };
}

interface ElfBytes {
  readonly bytes: Buffer;
  readonly word: (at: number) => number;
  readonly segments: readonly Segment[];
}

function readDynamic(
  { bytes, word, segments }: ElfBytes,
  dynamic: Segment,
): Pick<ElfNeeds, 'libraries' | 'searchPath'> {
  if (dynamic.offset + dynamic.sizeBytes > bytes.length) throw invalid('its dynamic section');
  const entries: { readonly tag: number; readonly value: number }[] = [];
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.sizeBytes; at += 16) {
    const tag = word(at);
    if (tag === DT_NULL) break;
    if (entries.length === MAX_ENTRIES) throw invalid('its dynamic section');
    entries.push({ tag, value: word(at + 8) });
  }
  const address = entries.find(({ tag }) => tag === DT_STRTAB)?.value ?? 0;
  const home = segments.find(
    (segment) =>
      segment.type === PT_LOAD && segment.address <= address && address < segment.address + segment.sizeBytes,
  );
  const names = (wanted: number): readonly string[] =>
    entries
      .filter(({ tag }) => tag === wanted)
      .map(({ value }) => {
        if (home === undefined) throw invalid('its table of names');
        return nameAt(bytes, address - home.address + home.offset + value);
      });
  const runPath = names(DT_RUNPATH);
  return {
    libraries: names(DT_NEEDED),
    searchPath: (runPath.length > 0 ? runPath : names(DT_RPATH)).flatMap((path) => path.split(':')),
  };
}

function nameAt(bytes: Buffer, at: number): string {
  const end = at < bytes.length ? bytes.indexOf(0, at) : -1;
  if (end < 0 || end - at > MAX_NAME_BYTES) throw invalid('a name');
  return bytes.toString('utf8', at, end);
}

function invalid(what: string): BootError {
  return new BootError('USERLAND_INVALID', `Cannot read a program of the image: ${what} cannot be read`, {
    hint: 'The file is damaged: look whether the image runs as a container.',
  });
}
