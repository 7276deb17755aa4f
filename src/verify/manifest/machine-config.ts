import { readDataUrl, unpackGzip } from './data-url.ts';
import type { Manifest } from './manifest.ts';
import { readUnitFile, type UnitFile } from './unit-file.ts';
import {
  isMapping,
  listOf,
  type Mapping,
  mappingOf,
  textOf,
  type Value,
  valueAt,
  type ValuePath,
} from './values.ts';

export const MACHINE_CONFIG_API = 'machineconfiguration.openshift.io/v1';
export const ROLE_LABEL = 'machineconfiguration.openshift.io/role';
const GENERATED = 'machineconfiguration.openshift.io/generated-by-controller-version';

/** What a file of a MachineConfig holds, as far as it can be known. */
export type Content =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** It is unspecified. */
  | { readonly kind: 'none' }
  /** It stands elsewhere: a URL that is no data URL. */
  | { readonly kind: 'remote'; readonly scheme: string }
  | { readonly kind: 'invalid'; readonly why: string }
  | { readonly kind: 'not-gzip' }
  /** It unpacks to more than anyone would want to know. */
  | { readonly kind: 'too-large' };

export interface FileEntry {
  readonly at: ValuePath;
  readonly value: Mapping;
  readonly path: string;
  /** Reads the data URL once. */
  readonly content: () => Content;
}

export interface DropIn {
  readonly at: ValuePath;
  readonly name: string;
  readonly contents: string | undefined;
}

export interface UnitEntry {
  readonly at: ValuePath;
  readonly value: Mapping;
  readonly name: string;
  readonly contents: string | undefined;
  readonly isMasked: boolean;
  readonly isEnabled: boolean;
  readonly dropIns: readonly DropIn[];
  /** Reads the text once; undefined without one. */
  readonly parsed: () => UnitFile | undefined;
}

/** A MachineConfig as its rules look at it. */
export interface MachineConfig {
  readonly manifest: Manifest;
  readonly spec: Mapping;
  /** The Ignition config; undefined when there is none. */
  readonly config: Mapping | undefined;
  readonly labels: Mapping;
  readonly role: string | undefined;
  /** Who wrote it: a person, the Machine Config Operator from its templates, or it from all others of a pool. */
  readonly origin: 'user' | 'operator' | 'rendered';
  readonly files: readonly FileEntry[];
  readonly units: readonly UnitEntry[];
}

const CONFIG: ValuePath = ['spec', 'config'];

/** Largest content that is looked into, unpacked: beyond it all that is said is that it is large. */
const MAX_CONTENT = 8 * 1024 * 1024;

/** What all packed contents of one MachineConfig together may unpack to. */
const MAX_UNPACKED = 32 * 1024 * 1024;

export function readMachineConfig(manifest: Manifest): MachineConfig {
  const { value, name } = manifest;
  const metadata = mappingOf(value['metadata']);
  const labels = mappingOf(metadata['labels']);
  const spec = mappingOf(value['spec']);
  const config = isMapping(spec['config']) ? spec['config'] : undefined;
  const owners = listOf(metadata['ownerReferences']).map((owner) => textOf(mappingOf(owner)['kind']));
  const isGenerated = textOf(mappingOf(metadata['annotations'])[GENERATED]) !== undefined;
  const isRendered = /^rendered-/.test(name) && (isGenerated || owners.includes('MachineConfigPool'));
  const budget = { bytes: MAX_UNPACKED };
  return {
    manifest,
    spec,
    config,
    labels,
    role: textOf(labels[ROLE_LABEL]),
    origin: isRendered ? 'rendered' : isGenerated ? 'operator' : 'user',
    files: entriesOf(config, ['storage', 'files']).map(([entry, at]) => ({
      at,
      value: entry,
      path: textOf(entry['path']) ?? '',
      content: once(() => readContent(entry, budget)),
    })),
    units: entriesOf(config, ['systemd', 'units']).map(([entry, at]) => readUnit(entry, at)),
  };
}

function readUnit(value: Mapping, at: ValuePath): UnitEntry {
  const contents =
    typeof value['contents'] === 'string' && value['contents'] !== '' ? value['contents'] : undefined;
  return {
    at,
    value,
    name: textOf(value['name']) ?? '',
    contents,
    isMasked: value['mask'] === true,
    isEnabled: value['enabled'] === true,
    dropIns: listOf(value['dropins']).map((dropIn, index) => ({
      at: [...at, 'dropins', index],
      name: textOf(mappingOf(dropIn)['name']) ?? '',
      contents: textOf(mappingOf(dropIn)['contents']),
    })),
    parsed: once(() => (contents === undefined ? undefined : readUnitFile(contents))),
  };
}

function entriesOf(config: Mapping | undefined, path: ValuePath): readonly (readonly [Mapping, ValuePath])[] {
  return listOf(valueAt(config, path)).map(
    (item, at) => [mappingOf(item), [...CONFIG, ...path, at]] as const,
  );
}

function readContent(file: Mapping, budget: { bytes: number }): Content {
  const contents = mappingOf(file['contents']);
  const source: Value | undefined = contents['source'];
  if (typeof source !== 'string') return { kind: 'none' };
  if (source === '') return { kind: 'bytes', bytes: Buffer.alloc(0) };
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(source)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'invalid', why: 'it is no URL' };
  if (scheme !== 'data') return { kind: 'remote', scheme };
  const read = readDataUrl(source);
  if (!read.isValid) return { kind: 'invalid', why: read.why };
  if (contents['compression'] !== 'gzip') return { kind: 'bytes', bytes: read.bytes };
  if (budget.bytes <= 0) return { kind: 'too-large' };
  const unpacked = unpackGzip(read.bytes, Math.min(MAX_CONTENT, budget.bytes));
  // What breaks in the middle was unpacked as well.
  budget.bytes -= typeof unpacked === 'string' ? MAX_CONTENT : unpacked.length;
  if (unpacked === 'broken') return { kind: 'not-gzip' };
  return unpacked === 'too-large' ? { kind: 'too-large' } : { kind: 'bytes', bytes: unpacked };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
