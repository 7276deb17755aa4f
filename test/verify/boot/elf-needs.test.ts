import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BootError } from '../../../src/errors.ts';
import { findElfNeeds } from '../../../src/verify/boot/elf-needs.ts';
import { fuzzRuns, mutated } from '../../kmod/fuzz.ts';
import { makeProgram } from './make-program.ts';

describe('findElfNeeds()', () => {
  it.each([true, false])('reads what a program asks for (little-endian: %s)', (isLittleEndian) => {
    const program = makeProgram({
      interpreter: '/lib64/ld.so',
      libraries: ['libc.so.6', 'libm.so.6'],
      runPath: '$ORIGIN/../lib:/opt/lib',
      isLittleEndian,
    });

    expect(findElfNeeds(program)).toEqual({
      interpreter: '/lib64/ld.so',
      libraries: ['libc.so.6', 'libm.so.6'],
      searchPath: ['$ORIGIN/../lib', '/opt/lib'],
    });
  });

  it('takes the older search path only without the newer one', () => {
    expect(findElfNeeds(makeProgram({ rPath: '/old' }))?.searchPath).toEqual(['/old']);
    expect(findElfNeeds(makeProgram({ rPath: '/old', runPath: '/new' }))?.searchPath).toEqual(['/new']);
  });

  it('reads what a real program asks for as ldd does', () => {
    const needs = findElfNeeds(readFileSync(process.execPath));
    const listed = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });

    expect(needs?.libraries).toContain('libc.so.6');
    for (const library of needs?.libraries ?? []) expect(listed).toContain(library);
    expect(listed).toContain(needs?.interpreter);
  });

  it.each([
    ['a script', Buffer.from('#!/bin/sh\n'.repeat(10))],
    ['nothing', Buffer.alloc(0)],
  ])('knows that %s is no ELF file', (_, bytes) => {
    expect(findElfNeeds(bytes)).toBeUndefined();
  });

  it('throws nothing but a BootError, whatever the file', () => {
    const program = makeProgram({ interpreter: '/lib64/ld.so', libraries: ['libc.so.6'], runPath: '/a:/b' });

    fc.assert(
      fc.property(mutated(program), (bytes) => {
        try {
          findElfNeeds(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(BootError);
        }
      }),
      { numRuns: fuzzRuns(10_000) },
    );
  });
});
