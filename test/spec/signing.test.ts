import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../src/errors.ts';
import type { Signing } from '../../src/spec/driver-set.ts';
import { parseSpec } from '../../src/spec/spec.ts';

const MINIMAL = readFileSync('fixtures/specs/minimal.yaml', 'utf8');

function signingOf(sign: string): Signing {
  return parseSpec(MINIMAL.replace('publish:', `sign: ${sign}\npublish:`), 'kmodlayer.yaml').signing;
}

/** Messages of what is wrong, each after its path. */
function problemsOf(sign: string): readonly string[] {
  try {
    signingOf(sign);
  } catch (error) {
    if (error instanceof SpecError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

describe('parseSpec() on "sign"', () => {
  it('takes an empty list for unsigned', () => {
    expect(signingOf('[]')).toEqual({ type: 'unsigned' });
  });

  it('takes a key that is thrown away', () => {
    const text = MINIMAL.replace('osImage: ', 'osImage: oci:./out #');

    expect(parseSpec(`${text}\nsign: throw-away\n`, 'kmodlayer.yaml').signing).toEqual({
      type: 'throw-away',
    });
    expect(problemsOf('throw-away')).toEqual([
      'publish.osImage: What is signed with a key that is thrown away cannot be published',
    ]);
  });

  it('reads a key file and fills in the hash', () => {
    expect(signingOf('[{ key: "file:./a.key", certificate: a.der, passphrase: { file: p } }]')).toEqual({
      type: 'signers',
      signers: [
        {
          type: 'file',
          key: './a.key',
          certificate: 'a.der',
          hash: 'sha256',
          passphrase: { type: 'file', path: 'p' },
        },
      ],
    });
  });

  it('reads a key in a token', () => {
    const sign =
      '[{ key: "pkcs11:token=hsm;object=modules?module-path=/p11.so", certificate: a.der, pin: { env: PIN } }]';

    expect(signingOf(sign)).toMatchObject({
      signers: [
        {
          type: 'pkcs11',
          key: { token: 'hsm', object: 'modules', modulePath: '/p11.so' },
          library: undefined,
          pin: { type: 'env', name: 'PIN' },
        },
      ],
    });
  });

  it('reads a command and fills in what it gets and how long it may take', () => {
    expect(signingOf('[{ command: [./sign.sh, "", "a b"], certificate: a.der, hash: sha384 }]')).toEqual({
      type: 'signers',
      signers: [
        {
          type: 'command',
          command: ['./sign.sh', '', 'a b'],
          certificate: 'a.der',
          hash: 'sha384',
          input: 'digest',
          timeoutMs: 60_000,
        },
      ],
    });
  });

  it('takes two signers', () => {
    const sign = '[{ key: a, certificate: b }, { key: c, certificate: d, hash: sha512 }]';

    expect(signingOf(sign)).toMatchObject({
      signers: [
        { key: 'a', hash: 'sha256' },
        { key: 'c', hash: 'sha512' },
      ],
    });
  });

  it.each([
    [
      'three signers',
      '[{ key: a, certificate: b }, { key: c, certificate: d }, { key: e, certificate: f }]',
      'sign: "sign" has too many entries: 2 at most',
    ],
    ['another word', 'never', 'sign: "sign" must be "throw-away" or a list, not "never"'],
    ['a mapping', '{ key: a, certificate: b }', 'sign: "sign" must be "throw-away" or a list, not a mapping'],
    ['no certificate', '[{ key: a }]', 'sign[0].certificate: "certificate" is missing'],
    ['a typo', '[{ key: a, certificate: b, hsah: sha256 }]', 'sign[0].hsah: Unknown key "hsah"'],
    ['a hash of old', '[{ key: a, certificate: b, hash: sha1 }]', 'sign[0].hash: "hash" cannot be "sha1"'],
    ['neither key nor command', '[{ certificate: b }]', 'sign[0]: "sign[0]" has no "key" or "command"'],
    [
      'key and command',
      '[{ key: a, command: [c], certificate: b }]',
      'sign[0]: "sign[0]" has "key" and "command"',
    ],
    ['an empty command', '[{ command: [], certificate: b }]', 'sign[0].command: "command" is empty'],
    [
      'no program',
      '[{ command: [""], certificate: b }]',
      'sign[0].command[0]: "command[0]" names no program',
    ],
    [
      'a second as text',
      '[{ command: [c], certificate: b, timeoutSeconds: 0 }]',
      'sign[0].timeoutSeconds: "timeoutSeconds" is too small: 1 at least',
    ],
    [
      'a PIN for a file',
      '[{ key: a, certificate: b, pin: { env: P } }]',
      'sign[0].pin: "pin" goes with a key in a token ("pkcs11:...")',
    ],
    [
      'a passphrase for a token',
      '[{ key: "pkcs11:object=a", certificate: b, passphrase: { env: P } }]',
      'sign[0].passphrase: "passphrase" goes with a key file',
    ],
    [
      'input for a key',
      '[{ key: a, certificate: b, input: file }]',
      'sign[0].input: "input" goes with "command"',
    ],
    [
      'no source of a PIN',
      '[{ key: "pkcs11:object=a", certificate: b, pin: {} }]',
      'sign[0].pin: "pin" has no "env" or "file"',
    ],
    [
      'one certificate twice',
      '[{ key: a, certificate: b }, { key: c, certificate: b }]',
      'sign[1]: "b" is there twice',
    ],
  ])('refuses %s', (_what, sign, problem) => {
    expect(problemsOf(sign)).toEqual([problem]);
  });

  it('suggests what a mistyped key may have meant', () => {
    const text = MINIMAL.replace('publish:', 'sign: [{ key: a, certficate: b }]\npublish:');

    expect(() => parseSpec(text, 'kmodlayer.yaml')).toThrow(
      expect.objectContaining({
        problems: expect.arrayContaining([
          expect.objectContaining({ path: 'sign[0].certficate', hint: 'Did you mean "certificate"?' }),
        ]) as unknown,
      }),
    );
  });
});
