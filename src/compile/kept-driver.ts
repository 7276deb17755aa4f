import { parseModuleName } from '../spec/module-name.ts';
import type { CompiledDriver, CompiledModule, CompiledSource } from './compile.ts';

/** First line of what is kept: the form of the rest. */
const FORM = 'kmodlayer/compiled/v1';

/** The modules of a driver as one piece of bytes: a line of JSON that says what follows, then the modules' own bytes. */
export function packDriver({ driver, modules, symvers, source }: CompiledDriver): Uint8Array {
  const header = {
    form: FORM,
    driver,
    source,
    symvers: symvers ?? null,
    modules: modules.map(({ name, fileName, bytes }) => ({ name, fileName, sizeBytes: bytes.length })),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...modules.map(({ bytes }) => bytes)]);
}

/** Takes apart what `packDriver` made; undefined for anything else, which is then compiled again. */
export function unpackDriver(
  bytes: Uint8Array,
  { kernel }: Pick<CompiledDriver, 'kernel'>,
): CompiledDriver | undefined {
  try {
    const end = bytes.indexOf(0x0a);
    const header = JSON.parse(Buffer.from(bytes.subarray(0, Math.max(end, 0))).toString('utf8')) as unknown;
    if (!isRecord(header) || header['form'] !== FORM || typeof header['driver'] !== 'string')
      return undefined;
    const { symvers, source } = header;
    if (!isRecord(source) || !isCompiledSource(source) || !(symvers === null || typeof symvers === 'string'))
      return undefined;
    const modules = unpackModules(header['modules'], bytes.subarray(end + 1));
    if (modules === undefined) return undefined;
    return { driver: header['driver'], kernel, modules, symvers: symvers ?? undefined, source };
  } catch {
    return undefined;
  }
}

function unpackModules(list: unknown, contents: Uint8Array): readonly CompiledModule[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const modules: CompiledModule[] = [];
  let at = 0;
  for (const entry of list as readonly unknown[]) {
    if (!isRecord(entry)) return undefined;
    const { name, fileName, sizeBytes } = entry;
    if (typeof name !== 'string' || typeof fileName !== 'string' || fileName.includes('/')) return undefined;
    if (!Number.isSafeInteger(sizeBytes) || Number(sizeBytes) < 0) return undefined;
    const next = at + Number(sizeBytes);
    modules.push({ name: parseModuleName(name), fileName, bytes: contents.slice(at, next) });
    at = next;
  }
  return at === contents.length ? modules : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Its fields were ours when they were written, and go into files of the image as they are. */
export function isCompiledSource(value: Readonly<Record<string, unknown>>): value is CompiledSource {
  return typeof value['type'] === 'string' && typeof value['digest'] === 'string';
}
