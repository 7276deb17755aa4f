import type { KeyObject } from 'node:crypto';
import { DER, writeDer } from './der.ts';

/** Bytes of the numbers that keys of a curve sign with. */
const ORDER_BYTES: Readonly<Record<string, number>> = {
  prime256v1: 32,
  secp256k1: 32,
  secp384r1: 48,
  secp521r1: 66,
};

/** Bytes of r, and of s, in a signature of a key; undefined for keys that are not on a curve we know. */
export function ecdsaNumberBytes({ asymmetricKeyDetails }: KeyObject): number | undefined {
  return ORDER_BYTES[asymmetricKeyDetails?.namedCurve ?? ''];
}

/** The DER form of an ECDSA signature that is r and s side by side, as tokens and some services give it. */
export function ecdsaValueFrom(sideBySide: Uint8Array): Buffer {
  const half = sideBySide.length / 2;
  return writeDer(
    DER.sequence,
    positiveInteger(sideBySide.subarray(0, half)),
    positiveInteger(sideBySide.subarray(half)),
  );
}

function positiveInteger(number: Uint8Array): Buffer {
  const first = number.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.from([0]) : number.subarray(first);
  const sign = (digits[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : [];
  return writeDer(DER.integer, ...sign, digits);
}
