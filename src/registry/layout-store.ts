import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { LayoutIndex } from './layout-index.ts';

/** Where the files of an OCI layout are kept: a directory, or a tar. */
export interface LayoutStore {
  /** The index as it is now; empty when nothing was written yet. */
  readIndex(): Promise<LayoutIndex>;
  /** Changes the index in one step that other writers cannot come between. */
  updateIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void>;
  /** Size of a blob, or undefined when it is not there. */
  findBlob(digest: Digest): Promise<number | undefined>;
  /** Streams a blob that is there, from its first byte. */
  openBlob(digest: Digest): AsyncIterable<Uint8Array>;
  /** Keeps a blob. Nothing can be seen of it before `chunks` came to its end. */
  writeBlob(blob: Descriptor, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Takes over a blob from a directory on this machine without reading it; false where that is not possible. */
  linkBlob(blob: Descriptor, from: LayoutStore): Promise<boolean>;
  /** The file that holds a blob and nothing else, where there is such a file. */
  blobFile(digest: Digest): string | undefined;
}
