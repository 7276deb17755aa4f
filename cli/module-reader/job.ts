/** The file of a module that a thread is asked to read and unpack. */
export interface ReadJob {
  readonly number: number;
  readonly file: string;
}

/** What it answers. */
export interface ReadAnswer {
  readonly number: number;
  /** Undefined when the file cannot be read or unpacked: the thread that asks then finds out why. */
  readonly bytes: Uint8Array | undefined;
}
