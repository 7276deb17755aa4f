import { isScalar } from 'yaml';
import type { Finding } from '../report.ts';
import { type Manifest, titleOf } from './manifest.ts';
import type { ManifestRuleId } from './rule-ids.ts';
import { findNode } from './read-manifests.ts';
import { formatValuePath, type ValuePath } from './values.ts';

/** A rule of manifests that is broken, at one place. */
export interface ManifestFinding extends Omit<Finding, 'path' | 'layer'> {
  readonly rule: ManifestRuleId;
  /** As the user named it. */
  readonly file: string;
  /** Which of the documents of the file, from 1. */
  readonly document: number;
  /** What it is about, for instance `MachineConfig 99-worker-ice`. */
  readonly object: string;
  /** Path in the object, for instance `spec.config.storage.files[0].mode`; empty for the object itself. */
  readonly path: string;
  /** Line in the file, from 1. */
  readonly line: number;
  /** What the line says, without what may be a secret. */
  readonly source: string;
}

/** What a rule gives: where it looked, and what it found there. Lines are looked for when the rule is done. */
export interface Draft extends Omit<Finding, 'path' | 'layer'> {
  readonly rule: ManifestRuleId;
  readonly manifest: Manifest;
  readonly path: ValuePath;
  /** Line inside the text at `path`, from 0: of a unit. */
  readonly lineInText?: number | undefined;
}

/** What is said of one manifest, in one place. */
export type Report = (draft: Omit<Draft, 'manifest'>) => void;

/** A function that keeps what a rule says of a manifest. */
export function reporterOf(manifest: Manifest, drafts: Draft[]): Report {
  return (draft) => void drafts.push({ ...draft, manifest });
}

/** The draft with its line and what stands there. */
export function placeDraft({ manifest, path, lineInText, ...said }: Draft): ManifestFinding {
  const { file, document, tree, base } = manifest;
  const { at, node } = findNode(tree, [...base, ...path]);
  const { source } = file;
  const place = { file: file.name, document, object: titleOf(manifest), path: formatValuePath(path) };
  // Only in a literal block is each line of the text a line of the file.
  if (lineInText !== undefined && isScalar(node) && node.type === 'BLOCK_LITERAL') {
    const line = source.placeOf(node.range?.[0] ?? at).line + 1 + lineInText;
    return { ...said, ...place, line, source: source.shownLine(line) };
  }
  return { ...said, ...place, line: source.placeOf(at).line, source: source.shownAt(at) };
}
