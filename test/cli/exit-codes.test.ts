import { describe, expect, it } from 'vitest';
import { CheckFailed, exitCodeOf } from '../../cli/exit-codes.ts';
import {
  BootError,
  CompileError,
  LayerError,
  ModuleError,
  OciError,
  PartialFailure,
  RegistryError,
  ResolveError,
  SignError,
  SpecError,
} from '../../src/errors.ts';

describe('exitCodeOf()', () => {
  it.each([
    [new CheckFailed(), 1],
    [new SpecError('USAGE', 'x'), 2],
    [new SpecError('SPEC_INVALID', 'x'), 2],
    [new BootError('EMULATOR_MISSING', 'x'), 2],
    [new RegistryError('UNAUTHORIZED', 'x'), 3],
    [new RegistryError('FORBIDDEN', 'x'), 3],
    [new RegistryError('CREDENTIALS_INVALID', 'x'), 3],
    [new ResolveError('RELEASE_UNKNOWN', 'x'), 4],
    [new CompileError('COMPILE_FAILED', 'x'), 5],
    [new ModuleError('KERNEL_MISMATCH', 'x'), 6],
    [new LayerError('PATH_CONFLICT', 'x'), 6],
    [new SignError('KEY_MISMATCH', 'x'), 7],
    [new RegistryError('UNREACHABLE', 'x'), 8],
    [new RegistryError('DIGEST_MISMATCH', 'x'), 8],
    [new OciError('LAYER_INVALID', 'x'), 8],
    [new PartialFailure('x', []), 9],
    [Object.assign(new Error('x'), { code: 'ENOSPC', syscall: 'write' }), 8],
    [Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'mkdtemp' }), 8],
    [Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open' }), 70],
    [new TypeError('x'), 70],
    ['thrown text', 70],
  ])('%s ends with %i', (error, expected) => {
    const exitCode = exitCodeOf(error);

    expect(exitCode).toBe(expected);
  });
});
