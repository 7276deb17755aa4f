import { describe, expect, it } from 'vitest';
import { compareBytes, hashName } from '../../../src/kmod/depmod/hash.ts';

const hash = (text: string, byteOrder: 'little' | 'big' = 'little'): number =>
  hashName(Buffer.from(text), 0, text.length, byteOrder) >>> 0;

describe('hashName()', () => {
  it('reads 16 bits as the machine that runs depmod does', () => {
    expect(hash('ab', 'little')).not.toBe(hash('ab', 'big'));
    expect(hash('abab', 'little')).toBe(hash('baba', 'big'));
    expect(hash('a', 'little')).toBe(hash('a', 'big'));
  });

  it('looks only at the piece it is given', () => {
    const bytes = Buffer.from('xxmodulexx');

    const piece = hashName(bytes, 2, 8, 'little') >>> 0;

    expect(piece).toBe(hash('module'));
  });
});

describe('compareBytes()', () => {
  it.each([
    ['a', 'b', -1],
    ['b', 'a', 1],
    ['ab', 'a', 1],
    ['', 'a', -1],
    ['same', 'same', 0],
  ])('orders %j and %j as strcmp does', (left, right, expected) => {
    const sign = Math.sign(
      compareBytes(Buffer.from(left), 0, left.length, Buffer.from(right), 0, right.length),
    );

    expect(sign).toBe(expected);
  });
});
