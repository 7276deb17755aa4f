import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignError } from '../../src/errors.ts';
import { parseCertificate } from '../../src/sign/certificate.ts';
import {
  EFI_GUIDS,
  parseEfiGuid,
  parseEfiSignatureLists,
  writeEfiGuid,
  writeEfiSignatureLists,
  type EfiSignature,
} from '../../src/sign/efi-signature-list.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';
import { fuzzRuns, mutated } from '../kmod/fuzz.ts';

const owner = parseEfiGuid('11111111-2222-3333-4444-555566667777');
const guid = fc.uuid().map(parseEfiGuid);
const signature = fc.record({
  type: guid,
  owner: guid,
  data: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
});

describe('parseEfiGuid()', () => {
  it('takes both cases and gives lower case', () => {
    expect(parseEfiGuid('D719B2CB-3D3A-4596-A3BC-DAD00E67656F')).toBe(EFI_GUIDS.imageSecurityDatabase);
  });

  it.each(['', 'd719b2cb3d3a4596a3bcdad00e67656f', 'd719b2cb-3d3a-4596-a3bc-dad00e67656f\n', '{x}'])(
    'refuses %j',
    (text) => {
      expect(() => parseEfiGuid(text)).toThrow(expect.objectContaining({ code: 'EFI_DATA_INVALID' }));
    },
  );
});

describe('writeEfiGuid()', () => {
  it('stores the first three groups as little-endian numbers', () => {
    expect(writeEfiGuid(EFI_GUIDS.imageSecurityDatabase).toString('hex')).toBe(
      'cbb219d73a3d9645a3bcdad00e67656f',
    );
  });
});

describe('writeEfiSignatureLists()', () => {
  it('writes the layout that the UEFI specification gives', () => {
    const { der } = parseCertificate(readModuleFixture('test-only-rsa.pem'));

    const bytes = writeEfiSignatureLists([{ type: EFI_GUIDS.certX509, owner, data: der }]);

    expect(bytes.subarray(0, 16).toString('hex')).toBe('a159c0a5e494a74a87b5ab155c2bf072');
    expect([16, 20, 24].map((at) => bytes.readUInt32LE(at))).toEqual([bytes.length, 0, 16 + der.length]);
    expect(bytes.subarray(28, 44).toString('hex')).toBe('11111111222233334444555566667777');
    expect(bytes.subarray(44).equals(der)).toBe(true);
  });
});

describe('parseEfiSignatureLists()', () => {
  it('reads what was written', () => {
    fc.assert(
      fc.property(fc.array(signature), (signatures) => {
        expect(parseEfiSignatureLists(writeEfiSignatureLists(signatures))).toEqual(signatures);
      }),
    );
  });

  it('reads several entries of one list, as in dbx, and passes a header over', () => {
    const hashes = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const body = hashes.flatMap((hash) => [writeEfiGuid(owner), hash]);
    const list = Buffer.concat([
      writeEfiGuid(EFI_GUIDS.certSha256),
      numbers(28 + 5 + 2 * 48, 5, 48),
      Buffer.from('extra'),
      ...body,
    ]);

    const expected = hashes.map((data): EfiSignature => ({ type: EFI_GUIDS.certSha256, owner, data }));
    expect(parseEfiSignatureLists(list)).toEqual(expected);
  });

  it.each([
    ['a header that is cut off', Buffer.alloc(27)],
    ['a list longer than the bytes', listOf(29, 0, 16)],
    ['a list shorter than its header', listOf(27, 0, 16)],
    ['a header that fills more than the list', listOf(28, 1, 16)],
    ['entries without room for their owner', Buffer.concat([listOf(28 + 15, 0, 15), Buffer.alloc(15)])],
    ['entries of no length', listOf(28, 0, 0)],
    ['entries that do not fill the list', Buffer.concat([listOf(28 + 20, 0, 16), Buffer.alloc(20)])],
  ])('refuses %s', (_what, bytes) => {
    expect(() => parseEfiSignatureLists(bytes)).toThrow(
      expect.objectContaining({ code: 'EFI_DATA_INVALID' }),
    );
  });

  it('refuses more entries than firmware holds', () => {
    const bytes = Buffer.concat([listOf(28 + 16 * 10_001, 0, 16), Buffer.alloc(16 * 10_001)]);

    expect(() => parseEfiSignatureLists(bytes)).toThrow(/too long/);
  });

  it('throws nothing but its own errors for damaged lists', () => {
    const { der } = parseCertificate(readModuleFixture('test-only-ec.pem'));
    const list = writeEfiSignatureLists([
      { type: EFI_GUIDS.certX509, owner, data: der },
      { type: EFI_GUIDS.certSha256, owner, data: Buffer.alloc(32) },
    ]);

    fc.assert(
      fc.property(mutated(list), (bytes) => {
        expect(parsesOrRefuses(bytes)).toBe(true);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  return bytes;
}

function listOf(...sizes: readonly [list: number, header: number, entry: number]): Buffer {
  return Buffer.concat([writeEfiGuid(EFI_GUIDS.certX509), numbers(...sizes)]);
}

function parsesOrRefuses(bytes: Buffer): boolean {
  try {
    parseEfiSignatureLists(bytes);
    return true;
  } catch (error) {
    return error instanceof SignError;
  }
}
