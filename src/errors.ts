/** Options that every error of this package takes. */
export interface ErrorOptions {
  readonly cause?: unknown;
  /** One sentence that says what to try next. */
  readonly hint?: string | undefined;
}

/** Every failure this package reports on purpose. Anything else that escapes is a bug. */
export abstract class KmodError<Code extends string = string> extends Error {
  readonly code: Code;
  /** One sentence that says what to try next. */
  readonly hint: string | undefined;

  constructor(code: Code, message: string, options: ErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
  }
}

/** One mistake in a spec: where it stands, what is wrong, and how to mend it. */
export interface SpecProblem {
  /** Path inside the document, for instance `drivers[0].modules[1].name`; empty for the document itself. */
  readonly path: string;
  /** Line in the file, counted from 1; absent when the mistake has no place of its own. */
  readonly line?: number;
  readonly message: string;
  readonly hint?: string;
}

/** A spec, its lock file, a flag or a value type that cannot be used. Exit code 2. */
export class SpecError extends KmodError<
  'SPEC_INVALID' | 'SPEC_UNREADABLE' | 'VALUE_INVALID' | 'USAGE' | 'LOCK_INVALID' | 'LOCK_OUTDATED'
> {
  readonly problems: readonly SpecProblem[];
  /** The file that the problems are in. */
  readonly file: string | undefined;

  constructor(
    code: SpecError['code'],
    message: string,
    options: ErrorOptions & { problems?: readonly SpecProblem[]; file?: string } = {},
  ) {
    super(code, message, options);
    this.file = options.file;
    this.problems = options.problems ?? [];
  }
}

/** Bytes or names that break the OCI image, tar or compression formats. Exit code 8. */
export class OciError extends KmodError<
  | 'DIGEST_INVALID'
  | 'TAG_INVALID'
  | 'REFERENCE_INVALID'
  | 'MANIFEST_INVALID'
  | 'CONFIG_INVALID'
  | 'PLATFORM_MISSING'
  | 'LAYER_INVALID'
  | 'LIMIT_EXCEEDED'
> {}

/** A registry, layout or archive that did not do what was asked. Exit code 3 for `UNAUTHORIZED` and `FORBIDDEN`, else 8. */
export class RegistryError extends KmodError<
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'CREDENTIALS_INVALID'
  | 'NOT_FOUND'
  | 'DIGEST_MISMATCH'
  | 'SIZE_MISMATCH'
  | 'UNEXPECTED_STATUS'
  | 'UNREACHABLE'
  | 'UNSUPPORTED'
  | 'LAYOUT_INVALID'
  | 'STORAGE_FAILED'
  | 'BLOB_UNKNOWN'
> {
  /** HTTP status of the answer, where there was one. */
  readonly status: number | undefined;
  /** Digests of the blobs that a manifest names and the registry does not have (`BLOB_UNKNOWN`); may be empty. */
  readonly blobs: readonly string[];

  constructor(
    code: RegistryError['code'],
    message: string,
    options: ErrorOptions & { status?: number | undefined; blobs?: readonly string[] } = {},
  ) {
    super(code, message, options);
    this.status = options.status;
    this.blobs = options.blobs ?? [];
  }
}

/** A release that cannot be turned into images and a kernel. Exit code 4. */
export class ResolveError extends KmodError<
  | 'RELEASE_UNKNOWN'
  | 'RELEASE_INVALID'
  | 'PAYLOAD_INVALID'
  | 'STREAM_UNKNOWN'
  | 'ARCH_UNSUPPORTED'
  | 'IMAGE_MISSING'
  | 'KERNEL_UNKNOWN'
  | 'KERNEL_MISMATCH'
  | 'FLAVOUR_UNSUPPORTED'
  | 'MIRROR_INVALID'
  | 'SIGNATURE_INVALID'
  | 'SIGNATURE_MISSING'
  | 'KEYRING_INVALID'
  | 'GRAPH_INVALID'
  | 'RANGE_EMPTY'
> {}

/** A driver that did not compile, or a source that cannot be read. Exit code 5. */
export class CompileError extends KmodError<
  | 'SOURCE_UNREADABLE'
  | 'SOURCE_CHANGED'
  | 'CHECKSUM_MISMATCH'
  | 'ARCHIVE_INVALID'
  | 'ARCHIVE_UNSAFE'
  | 'KERNEL_EXCLUDED'
  | 'ENGINE_MISSING'
  | 'ENGINE_FAILED'
  | 'TOOLCHAIN_MISMATCH'
  | 'COMPILE_FAILED'
  | 'MODULE_MISSING'
  | 'WORKSPACE_FAILED'
  | 'DEPENDENCY_FAILED'
> {
  /** File that holds the whole log, where one was kept. */
  readonly logFile: string | undefined;
  /** Last lines of the log, oldest first. */
  readonly logTail: readonly string[];

  constructor(
    code: CompileError['code'],
    message: string,
    options: ErrorOptions & { logFile?: string | undefined; logTail?: readonly string[] } = {},
  ) {
    super(code, message, options);
    this.logFile = options.logFile;
    this.logTail = options.logTail ?? [];
  }
}

/** A kernel module, or an index over modules, that is malformed or would not load. Exit code 6. */
export class ModuleError extends KmodError<
  | 'ELF_INVALID'
  | 'MODINFO_INVALID'
  | 'COMPRESSION_UNSUPPORTED'
  | 'COMPRESSION_INVALID'
  | 'KERNEL_MISMATCH'
  | 'ARCH_MISMATCH'
  | 'NAME_MISMATCH'
  | 'INDEX_INVALID'
  | 'INDEX_UNSUPPORTED'
  | 'DUPLICATE_MODULE'
  | 'DUPLICATE_EXPORT'
  | 'DEPENDENCY_CYCLE'
  | 'OVERRIDE_UNDECLARED'
  | 'WOULD_NOT_LOAD'
  | 'LIMIT_EXCEEDED'
> {}

/** A module that cannot be signed, or a signature that does not hold. Exit code 7. */
export class SignError extends KmodError<
  | 'KEY_UNREADABLE'
  | 'KEY_UNSUPPORTED'
  | 'CERTIFICATE_INVALID'
  | 'KEY_MISMATCH'
  | 'HASH_UNSUPPORTED'
  | 'MODULE_INVALID'
  | 'SIGNATURE_INVALID'
  | 'SIGNER_FAILED'
  | 'TOOL_MISSING'
  | 'THROW_AWAY_KEY'
  | 'EFI_DATA_INVALID'
> {}

/** A layer that breaks the rules of OS images. Exit code 6. */
export class LayerError extends KmodError<
  'PATH_INVALID' | 'PATH_CONFLICT' | 'INDEX_NOT_FOUND' | 'BASE_UNSUPPORTED' | 'CONTENT_INVALID'
> {}

/** A boot proof that could not be made, on this machine or of this image. Exit code 2. */
export class BootError extends KmodError<
  | 'EMULATOR_MISSING'
  | 'EMULATOR_FAILED'
  | 'FIRMWARE_MISSING'
  | 'FIRMWARE_INVALID'
  | 'ARCH_UNSUPPORTED'
  | 'KERNEL_MISSING'
  | 'USERLAND_MISSING'
  | 'USERLAND_INVALID'
> {}

/** Some targets failed, the others are done. Exit code 9. */
export class PartialFailure extends KmodError<'SOME_TARGETS_FAILED'> {
  readonly failures: readonly unknown[];

  constructor(message: string, failures: readonly unknown[]) {
    super('SOME_TARGETS_FAILED', message);
    this.failures = failures;
  }
}
