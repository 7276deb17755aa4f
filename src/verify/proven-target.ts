import type { OpenedImage } from '../oci/open-image.ts';
import type { TargetReport } from './report.ts';

/** A report of the static proof, and what has to be booted to see whether it is right. */
export interface ProvenTarget {
  readonly report: TargetReport;
  /** What has the kernel: an OS image, or a directory. */
  readonly source:
    | { readonly type: 'image'; readonly image: OpenedImage }
    | { readonly type: 'directory'; readonly path: string };
  /** Files on top of it, by path: modules that are not in it, and the indexes with them. */
  readonly added: ReadonlyMap<string, Uint8Array>;
}
