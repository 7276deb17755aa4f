import type { Emulator } from './engine/emulator.ts';
import type { Engine } from './engine/engine.ts';
import type { ProgramRequest, ProgramResult } from './engine/program.ts';
import type { Sources } from './engine/sources.ts';
import type { Report } from './events.ts';
import type { Arch } from './oci/arch.ts';
import type { Digest } from './oci/digest.ts';
import type { Reference } from './oci/reference.ts';
import type { Images } from './registry/repository.ts';
import type { Web } from './registry/web.ts';

/** What was learnt from immutable bytes, kept by a key made of their digest. */
export interface Cache {
  /** The bytes kept under a key, or undefined. An entry that was damaged is not there. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Keeps bytes under a key; a cache that cannot be written is not an error. */
  put(key: string, bytes: Uint8Array): Promise<void>;
}

/** Files of the user's machine. Paths are relative to where the command runs, or absolute. */
export interface Files {
  /** Reads a whole file. Throws Node's error (with `code` `ENOENT` and so on). */
  read(path: string): Promise<Uint8Array>;
  /** Regular files below a directory: relative paths with `/`, sorted; links are followed only inside the directory. */
  list(directory: string): Promise<readonly string[]>;
  /** Where a symlink points, as it stands; undefined for what is none, or is not there. */
  readLink(path: string): Promise<string | undefined>;
}

/** A log that is written while something runs. */
export interface LogFile {
  /** Undefined when no file could be made. */
  readonly path: string | undefined;
  add(line: string): void;
  close(): Promise<void>;
}

/** A release by what was named: the digest of its image, or of the list of its architectures. */
export interface NamedRelease {
  readonly reference: Reference;
  readonly digest: Digest;
}

/** Who signed a release. */
export interface ReleaseSigner {
  /** 40 upper-case hex digits each, one key for each keyring. */
  readonly fingerprints: readonly string[];
  /** When the oldest of the signatures was made. */
  readonly signedAt: Date;
}

/** Says whether releases are what their publisher made. */
export interface ReleaseTrust {
  /**
   * @returns undefined when the release was not verified, and need not be.
   * @throws {ResolveError} `SIGNATURE_MISSING`, `SIGNATURE_INVALID`.
   */
  verify(release: NamedRelease): Promise<ReleaseSigner | undefined>;
}

/** The outside world, as one argument. Everything that is not pure is reached through it. */
export interface Io {
  readonly images: Images;
  /** Files of the web that are no images. */
  readonly web: Web;
  readonly releaseTrust: ReleaseTrust;
  readonly cache: Cache;
  /** Modules that were compiled, by what they were compiled from. Old ones make room for new ones. */
  readonly compiled: Cache;
  readonly files: Files;
  /** The container engine that compiles; found or chosen on first use. */
  readonly engine: () => Promise<Engine>;
  /** The emulator of machines of an architecture, that boots kernels; found on first use. */
  readonly emulator: (arch: Arch) => Promise<Emulator>;
  /** Git repositories and directories that hold the sources of drivers. */
  readonly sources: Sources;
  /** Runs a program of this machine, such as a signer, to its end. Throws the reason of its signal when aborted. */
  readonly runProgram: (request: ProgramRequest) => Promise<ProgramResult>;
  /** An empty directory that is removed when `use` settles, also after an error or an interrupt. */
  readonly withTemporaryDirectory: <T>(use: (directory: string) => Promise<T>) => Promise<T>;
  /** Begins a file for what a compile prints. `name` is a plain file name, to which more may be added. Never throws. */
  readonly openLog: (name: string) => Promise<LogFile>;
  /** Environment variables, for secrets that are given by the name of a variable. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  readonly report: Report;
  /** Aborted on ^C: long work stops, cleans up and throws. */
  readonly signal: AbortSignal;
}
