import type { Draft } from './finding.ts';
import type { MachineConfig } from './machine-config.ts';
import type { Manifest } from './manifest.ts';
import type { Minor } from './release.ts';

/** What the user said of the cluster. */
export interface LintOptions {
  /** Release that Ignition versions and the order of merging are judged by; what every release takes when absent. */
  readonly release?: Minor | undefined;
  /** The only pool to merge for; all when absent. */
  readonly pool?: string | undefined;
}

/** A pool with what it merges. */
export interface Pool {
  readonly name: string;
  /** The object; undefined for a pool that only the labels of MachineConfigs name. */
  readonly manifest: Manifest | undefined;
  /** In the order in which they are merged: the last one wins. */
  readonly configs: readonly MachineConfig[];
}

/** All that rules may look at: everything was read before the first one runs. */
export interface ManifestSet {
  readonly options: LintOptions;
  readonly manifests: readonly Manifest[];
  readonly machineConfigs: readonly MachineConfig[];
  readonly pools: readonly Pool[];
}

/** A rule, or several on one subject. */
export type ManifestRule = (set: ManifestSet, drafts: Draft[]) => void;
