import type { DriverProvenance, SignerProvenance } from './layer/provenance.ts';

/** What an image that was published says of what it was made from; read with as much doubt as all that others may write. */
export interface PublishedProvenance {
  readonly name: string;
  readonly inputHash: string;
  readonly kernel: string;
  readonly arch: string;
  /** Undefined in layered images, which have the default kernel. */
  readonly flavour?: string | undefined;
  /** Undefined in kmod images, which releases share. */
  readonly stream?: string | undefined;
  readonly drivers: readonly DriverProvenance[];
  readonly signers: readonly SignerProvenance[];
  /** Version of kmodlayer that made it. */
  readonly toolVersion: string;
}

/** Reads a provenance file; undefined for anything that is none. */
export function parsePublishedProvenance(bytes: Uint8Array): PublishedProvenance | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isRecord(json)) return undefined;
  const { name, inputHash, kernel, arch, flavour, stream, drivers, signers, kmodlayer } = json;
  if (!areTexts(name, inputHash, kernel, arch, kmodlayer) || !/^[0-9a-f]{64}$/.test(String(inputHash)))
    return undefined;
  if (!isListOf(drivers, isDriver) || !isListOf(signers, isSigner)) return undefined;
  return {
    name: String(name),
    inputHash: String(inputHash),
    kernel: String(kernel),
    arch: String(arch),
    ...(typeof flavour === 'string' ? { flavour } : {}),
    ...(typeof stream === 'string' ? { stream } : {}),
    drivers,
    signers,
    toolVersion: String(kmodlayer),
  };
}

function isDriver(value: unknown): value is DriverProvenance {
  return (
    isRecord(value) &&
    areTexts(value['name'], value['version']) &&
    isRecord(value['source']) &&
    (value['madeFor'] === undefined || isMadeFor(value['madeFor'])) &&
    isListOf(value['modules'], isModule)
  );
}

function isMadeFor(value: unknown): value is NonNullable<DriverProvenance['madeFor']> {
  return (
    isRecord(value) &&
    areTexts(value['kernel'], value['image'], value['proof']) &&
    typeof value['symbols'] === 'number'
  );
}

function isModule(value: unknown): value is DriverProvenance['modules'][number] {
  return (
    isRecord(value) &&
    areTexts(value['name'], value['path'], value['sha256']) &&
    isListOf(value['replaces'], (one): one is string => typeof one === 'string')
  );
}

function isSigner(value: unknown): value is SignerProvenance {
  return (
    isRecord(value) &&
    areTexts(...['subject', 'serial', 'hash', 'certificateSha256', 'certificate'].map((key) => value[key]))
  );
}

function areTexts(...values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'string');
}

function isListOf<T>(value: unknown, isOne: (one: unknown) => one is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isOne);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
