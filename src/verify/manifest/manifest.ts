import type { Document } from 'yaml';
import type { DuplicateKey } from './to-value.ts';
import type { SourceText } from './source-text.ts';
import type { Mapping, ValuePath } from './values.ts';

/** A file with manifests, as the user named it. */
export interface ManifestFile {
  readonly name: string;
  readonly source: SourceText;
}

/** One object of Kubernetes, and where it stands. */
export interface Manifest {
  readonly file: ManifestFile;
  /** Which of the documents of the file, from 1. */
  readonly document: number;
  readonly tree: Document.Parsed;
  /** Where the object stands in the document: empty but for items of lists. */
  readonly base: ValuePath;
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty when it has none. */
  readonly name: string;
  readonly value: Mapping;
  /** Keys that stand twice, in the whole document; only the first object of a document has them. */
  readonly duplicates: readonly DuplicateKey[];
  /** It was read from a cluster: the API server has accepted it. */
  readonly isLive: boolean;
}

/** `MachineConfig 99-worker-ice`. */
export function titleOf({ kind, name }: Pick<Manifest, 'kind' | 'name'>): string {
  return name === '' ? kind : `${kind} ${name}`;
}
