import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, deflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResolveError } from '../../../src/errors.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { readKeyring } from '../../../src/resolve/openpgp/keyring.ts';
import { verifyReleaseSignature } from '../../../src/resolve/signatures/release-signature.ts';
import { parseVerificationPolicy } from '../../../src/resolve/signatures/verification-policy.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/releases');
const SIGNATURE = readFileSync(join(FIXTURES, 'signature-4.15.0-x86_64'));
const DIGEST = parseDigest('sha256:0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363');
const NOW = new Date('2026-01-01T00:00:00Z');
const RED_HAT = policyOf('release-verification-openshift.yaml');
const OKD = policyOf('release-verification-okd.yaml');

describe('the signature of a release', () => {
  it('holds for the release that Red Hat signed, by the key that gpg names', () => {
    expect(verifyReleaseSignature([SIGNATURE], DIGEST, RED_HAT, NOW)).toEqual({
      fingerprints: ['567E347AD0044ADE55BA8A5F199E2F91FD431D51'],
      signedAt: new Date('2024-02-26T16:00:12Z'),
    });
  });

  it('is for one release only', () => {
    const other = parseDigest(`sha256:${'1'.repeat(64)}`);

    expect(() => verifyReleaseSignature([SIGNATURE], other, RED_HAT, NOW)).toThrow(
      `Cannot trust release ${other}: it is for "${DIGEST}"`,
    );
  });

  it('counts for nothing by a key that is not trusted', () => {
    expect(() => verifyReleaseSignature([SIGNATURE], DIGEST, OKD, NOW)).toThrow(
      'none of the keys made its signature, which says it is by 199E2F91FD431D51',
    );
  });

  it('must be there from each keyring', () => {
    const both = { keyrings: [...RED_HAT.keyrings, ...OKD.keyrings] };

    expect(() => verifyReleaseSignature([SIGNATURE], DIGEST, both, NOW)).toThrow(ResolveError);
  });

  it('may stand behind others that do not hold', () => {
    const signatures = [Buffer.from('no signature'), SIGNATURE];

    expect(verifyReleaseSignature(signatures, DIGEST, RED_HAT, NOW).fingerprints).toHaveLength(1);
  });

  it('never holds after a byte of it was changed', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: SIGNATURE.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, difference) => {
          const changed = Buffer.from(SIGNATURE);
          changed[at] = (changed[at] ?? 0) ^ difference;
          try {
            // What no signature covers, such as the name of the content, may change; what is read may not.
            expect(verifyReleaseSignature([changed], DIGEST, RED_HAT, NOW).fingerprints).toEqual([
              '567E347AD0044ADE55BA8A5F199E2F91FD431D51',
            ]);
          } catch (error) {
            if (!(error instanceof ResolveError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a signature that a key of ours makes', () => {
  const maker = makeKey();

  it.each([
    ['as it is', (bytes: Buffer) => bytes],
    ['compressed by ZIP', (bytes: Buffer) => packet(8, Buffer.concat([Buffer.of(1), deflateRawSync(bytes)]))],
    ['compressed by ZLIB', (bytes: Buffer) => packet(8, Buffer.concat([Buffer.of(2), deflateSync(bytes)]))],
  ])('holds in version 3, which releases of 2022 have, %s', (_how, wrap) => {
    const signature = wrap(messageOf(maker, textFor(DIGEST)));

    expect(verifyReleaseSignature([signature], DIGEST, maker.policy, NOW)).toEqual({
      fingerprints: [maker.fingerprint],
      signedAt: new Date('2022-06-01T00:00:00Z'),
    });
  });

  it.each([
    [
      'another type',
      { critical: { ...criticalOf(DIGEST), type: 'cosign' }, optional: {} },
      'of another type',
    ],
    ['an unknown key', { critical: criticalOf(DIGEST), extra: 1 }, 'unknown key "extra"'],
    [
      'no name',
      { critical: { ...criticalOf(DIGEST), identity: { 'docker-reference': '' } } },
      'names no image',
    ],
    ['a list', [], 'has no object'],
  ])('does not count with %s in its text', (_what, body, why) => {
    const signature = messageOf(maker, Buffer.from(JSON.stringify(body)));

    expect(() => verifyReleaseSignature([signature], DIGEST, maker.policy, NOW)).toThrow(why);
  });

  it('does not count by a hash that collisions are known for', () => {
    const signature = messageOf(maker, textFor(DIGEST), { hash: 'sha1', hashNumber: 2 });

    expect(() => verifyReleaseSignature([signature], DIGEST, maker.policy, NOW)).toThrow('none of the keys');
  });

  it('does not count over text whose line ends do not', () => {
    const signature = messageOf(maker, textFor(DIGEST), { type: 1 });

    expect(() => verifyReleaseSignature([signature], DIGEST, maker.policy, NOW)).toThrow('none of the keys');
  });

  it('does not unpack more than a signature can be', () => {
    const bomb = packet(8, Buffer.concat([Buffer.of(2), deflateSync(Buffer.alloc(64 * 1024 ** 2))]));

    expect(() => verifyReleaseSignature([bomb], DIGEST, maker.policy, NOW)).toThrow('damaged or too large');
  });
});

describe('what a key says of itself', () => {
  const maker = makeKey();
  const MADE = '2020-01-01T00:00:00Z';
  const user = packet(13, Buffer.from('Maker'));
  const REVOKES = 0x20;
  const YEAR = 365 * 24 * 3600;

  const ringOf = (...packets: readonly Buffer[]) => readKeyring(Buffer.concat([maker.ring, ...packets]))[0];

  it.each([
    ['sha1', 2],
    ['sha256', 8],
  ] as const)('restricts it by %s, too: it was withdrawn', (hash, hashNumber) => {
    const revocation = selfSignature(maker, { type: REVOKES, hash, hashNumber, at: MADE });

    expect(ringOf()).toMatchObject({ isRevoked: false, expiresAt: undefined });
    expect(ringOf(revocation)).toMatchObject({ isRevoked: true });
    expect(ringOf(damaged(revocation))).toMatchObject({ isRevoked: false });
  });

  it('restricts it by SHA-1, too: it expires, unless it says better by a good hash', () => {
    const by = (hash: 'sha1' | 'sha256', years: number | undefined, at: string): Buffer =>
      selfSignature(maker, {
        ...{ type: 0x13, hash, hashNumber: hash === 'sha1' ? 2 : 8, at },
        ...(years === undefined ? {} : { lifetime: years * YEAR }),
      });
    const after = (years: number): number => Date.parse(MADE) / 1000 + years * YEAR;

    expect(ringOf(user, by('sha1', 1, MADE))?.expiresAt).toBe(after(1));
    expect(ringOf(user, by('sha1', 1, MADE), by('sha256', 5, '2021-01-01'))?.expiresAt).toBe(after(5));
    expect(ringOf(user, by('sha256', 1, MADE), by('sha1', 5, '2021-01-01'))?.expiresAt).toBe(after(1));
    expect(ringOf(user, by('sha256', 1, MADE), by('sha1', undefined, '2021-01-01'))?.expiresAt).toBe(
      after(1),
    );
  });
});

interface SelfSignature {
  readonly type: number;
  readonly hash: string;
  readonly hashNumber: number;
  readonly at: string;
  /** Seconds from the making of the key. */
  readonly lifetime?: number;
}

/** A signature of version 4 of a key over itself, and over the user ID "Maker" where its type says so. */
function selfSignature(
  { privateKey, body }: Maker,
  { type, hash, hashNumber, at, lifetime }: SelfSignature,
): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(lifetime ?? 0);
  const subpackets = Buffer.concat([
    Buffer.of(5, 2),
    seconds(at),
    ...(lifetime === undefined ? [] : [Buffer.of(5, 9), number]),
  ]);
  const head = Buffer.concat([Buffer.of(4, type, 1, hashNumber, 0, subpackets.length), subpackets]);
  const end = Buffer.from([4, 0xff, 0, 0, 0, head.length]);
  const user = type === 0x13 ? [Buffer.of(0xb4, 0, 0, 0, 5), Buffer.from('Maker')] : [];
  const signed = Buffer.concat([
    ...[Buffer.of(0x99, body.length >> 8, body.length & 0xff), body],
    ...user,
    ...[head, end],
  ]);
  const start = createHash(hash).update(signed).digest().subarray(0, 2);
  return packet(2, Buffer.concat([head, Buffer.of(0, 0), start, integer(sign(hash, signed, privateKey))]));
}

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(copy.length - 1) ^ 1, copy.length - 1);
  return copy;
}

function policyOf(file: string) {
  return parseVerificationPolicy(readFileSync(join(FIXTURES, file)), file);
}

interface Maker {
  readonly privateKey: KeyObject;
  readonly fingerprint: string;
  /** The body of its packet, and the packet. */
  readonly body: Buffer;
  readonly ring: Buffer;
  readonly policy: { readonly keyrings: readonly ReturnType<typeof readKeyring>[] };
}

/** A key, and the keyring that holds it: a public key packet alone. */
function makeKey(): Maker {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const body = Buffer.concat([
    Buffer.of(4),
    seconds('2020-01-01T00:00:00Z'),
    Buffer.of(1),
    integer(Buffer.from(n, 'base64url')),
    integer(Buffer.from(e, 'base64url')),
  ]);
  const ring = packet(6, body);
  const hashed = Buffer.concat([Buffer.of(0x99, body.length >> 8, body.length & 0xff), body]);
  const fingerprint = createHash('sha1').update(hashed).digest('hex').toUpperCase();
  return { privateKey, fingerprint, body, ring, policy: { keyrings: [readKeyring(ring)] } };
}

/** A signed message of RFC 4880 with a signature of version 3. */
function messageOf(
  { privateKey, fingerprint }: Maker,
  content: Buffer,
  { hash = 'sha256', hashNumber = 8, type = 0 } = {},
): Buffer {
  const trailer = Buffer.concat([Buffer.of(type), seconds('2022-06-01T00:00:00Z')]);
  const signed = Buffer.concat([content, trailer]);
  const keyId = Buffer.from(fingerprint, 'hex').subarray(-8);
  const signature = Buffer.concat([
    Buffer.of(3, 5),
    trailer,
    keyId,
    Buffer.of(1, hashNumber),
    createHash(hash).update(signed).digest().subarray(0, 2),
    integer(sign(hash, signed, privateKey)),
  ]);
  const literal = Buffer.concat([Buffer.of(0x62, 0), Buffer.alloc(4), content]);
  return Buffer.concat([packet(11, literal), packet(2, signature)]);
}

function packet(tag: number, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.of(0xc0 | tag, 255), length, body]);
}

function integer(bytes: Buffer): Buffer {
  const bits = bytes.length * 8 - Math.clz32(bytes[0] ?? 0) + 24;
  return Buffer.concat([Buffer.of(bits >> 8, bits & 0xff), bytes]);
}

function seconds(time: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Date.parse(time) / 1000);
  return bytes;
}

function criticalOf(digest: string) {
  return {
    type: 'atomic container signature',
    image: { 'docker-manifest-digest': digest },
    identity: { 'docker-reference': 'quay.io/openshift-release-dev/ocp-release:4.15.0-x86_64' },
  };
}

function textFor(digest: string): Buffer {
  return Buffer.from(JSON.stringify({ critical: criticalOf(digest), optional: { creator: 'test' } }));
}
