import { describe, expect, it } from 'vitest';
import { EFI_GUIDS } from '../../../src/sign/efi-signature-list.ts';
import { type EfiVariable, writeVariableStore } from '../../../src/verify/boot/efi-variables.ts';

const STORE_AT = 72;

/** An erased store of 1 KiB behind the header of a firmware volume, and something else after it. */
function template(): Buffer {
  const bytes = Buffer.alloc(2048, 0xff);
  bytes.fill(0, 0, STORE_AT + 28);
  Buffer.from('8d2bf1ff96768b4ca9852747075b4f50', 'hex').copy(bytes, 16);
  bytes.writeUInt16LE(STORE_AT, 48);
  Buffer.from('782cf3aa7b949a43a1802e144ec37792', 'hex').copy(bytes, STORE_AT);
  bytes.writeUInt32LE(1024, STORE_AT + 16);
  return bytes;
}

function variable(name: string, sizeBytes: number): EfiVariable {
  return { name, namespace: EFI_GUIDS.globalVariable, attributes: 7, data: Buffer.alloc(sizeBytes, 0x42) };
}

describe('writeVariableStore()', () => {
  it('writes records one after the other, and leaves what is not the store alone', () => {
    const store = writeVariableStore(template(), [variable('PK', 5), variable('db', 8)]);

    const first = store.subarray(STORE_AT + 28);
    expect(first.readUInt16LE(0)).toBe(0x55aa);
    expect(first.readUInt8(2)).toBe(0x3f);
    expect(first.readUInt32LE(36)).toBe(6);
    expect(first.readUInt32LE(40)).toBe(5);
    expect(first.toString('utf16le', 60, 64)).toBe('PK');
    const second = first.subarray(Math.ceil((60 + 6 + 5) / 4) * 4);
    expect(second.toString('utf16le', 60, 64)).toBe('db');
    expect(store.subarray(0, STORE_AT + 28)).toEqual(template().subarray(0, STORE_AT + 28));
    expect(store.subarray(STORE_AT + 1024)).toEqual(template().subarray(STORE_AT + 1024));
  });

  it('replaces what was in the store', () => {
    const full = writeVariableStore(template(), [variable('PK', 400)]);

    expect(writeVariableStore(full, [variable('db', 8)])).toEqual(
      writeVariableStore(template(), [variable('db', 8)]),
    );
  });

  it.each([
    ['no firmware volume', Buffer.alloc(2048)],
    ['nothing', Buffer.alloc(0)],
    ['a volume without variables', template().fill(0, STORE_AT, STORE_AT + 16)],
    ['a store that is cut off', template().subarray(0, 600)],
  ])('refuses %s', (_, bytes) => {
    expect(() => writeVariableStore(bytes, [])).toThrow(
      expect.objectContaining({ code: 'FIRMWARE_INVALID' }) as Error,
    );
  });

  it('refuses more than the store can hold', () => {
    expect(() => writeVariableStore(template(), [variable('db', 1000)])).toThrow(
      expect.objectContaining({ code: 'FIRMWARE_INVALID' }) as Error,
    );
  });
});
