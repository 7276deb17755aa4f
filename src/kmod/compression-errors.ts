import { ModuleError } from '../errors.ts';

/** The error for a module that does not unpack. */
export function damaged(format: 'gzip' | 'xz' | 'zstd', cause: unknown): ModuleError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ModuleError('COMPRESSION_INVALID', `Cannot decompress a module: ${format} says ${why}`, {
    cause,
    hint: 'The file is damaged or cut off: copy it again.',
  });
}

/** The error for a module that unpacks to more than is allowed. */
export function unpacksTooFar(maxBytes: number): ModuleError {
  return new ModuleError('LIMIT_EXCEEDED', `Cannot decompress a module: it has more than ${maxBytes} bytes`, {
    hint: 'The file is damaged or hostile, or has debug information: strip it with "strip --strip-debug".',
  });
}
