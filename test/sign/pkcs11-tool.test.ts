import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTokenKeys, parseTokenSlots, pkcs11Failure } from '../../src/sign/pkcs11-tool.ts';

const SLOTS = `Available slots:
Slot 0 (0x16118561): SoftHSM slot ID 0x16118561
  token label        : other
  token manufacturer : SoftHSM project
  token model        : SoftHSM v2
  token flags        : login required, rng, token initialized, PIN initialized, other flags=0x20
  hardware version   : 2.6
  serial num         : e6f3032696118561
  pin min/max        : 4/255
Slot 1 (0x2): SoftHSM slot ID 0x2
  token state:   uninitialized
Slot 2 (0xffffffffffffffff): Reader (empty)
  (empty)
Slot 3 (0x4): Yubico YubiKey
  token label        : PIV, Slot 9c: x
  token manufacturer : piv_II
  token model        : PKCS#15 emulated
  serial num         : 
`;

const KEYS = `Private Key Object; RSA 
  label:      second
  ID:         02Fe
  Usage:      decrypt, sign, unwrap
  Access:     sensitive
Private Key Object; EC
  label:      
  Usage:      sign
Public Key Object; RSA 2048 bits
  label:      second
  ID:         02fe
`;

describe('parseTokenSlots()', () => {
  it('reads tokens and leaves empty slots out', () => {
    expect(parseTokenSlots(SLOTS)).toEqual([
      {
        slotId: 0x16118561n,
        token: 'other',
        manufacturer: 'SoftHSM project',
        model: 'SoftHSM v2',
        serial: 'e6f3032696118561',
      },
      {
        slotId: 4n,
        token: 'PIV, Slot 9c: x',
        manufacturer: 'piv_II',
        model: 'PKCS#15 emulated',
        serial: '',
      },
    ]);
  });

  it('makes something of any text', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...SLOTS.split('\n'))), (lines) => {
        expect(parseTokenSlots(lines.join('\n')).length).toBeLessThanOrEqual(lines.length);
      }),
    );
  });
});

describe('parseTokenKeys()', () => {
  it('reads labels and identifiers of private keys', () => {
    expect(parseTokenKeys(KEYS)).toEqual([
      { label: 'second', id: '02fe' },
      { label: '', id: undefined },
    ]);
  });
});

describe('pkcs11Failure()', () => {
  it.each([
    ['error: PKCS11 function C_Login failed: rv = CKR_PIN_INCORRECT (0xa0)', 'A: the PIN is wrong'],
    ['error: PKCS11 function C_Login failed: rv = CKR_PIN_LOCKED (0xa4)', 'A: the PIN is locked'],
    ['error: util_getpass error', 'A: it asks for a PIN'],
    [
      'error: Failed to load pkcs11 module',
      'A: its library does not load: error: Failed to load pkcs11 module',
    ],
    [
      'error: PKCS11 function C_Sign failed: rv = CKR_DEVICE_ERROR (0x30)',
      /C_Sign failed: rv = CKR_DEVICE_ERROR/,
    ],
  ])('explains %s', (line, message) => {
    const error = pkcs11Failure('A', {
      outcome: 'ended',
      exitCode: 1,
      output: Buffer.alloc(0),
      errorTail: [line, 'Aborting.'],
    });

    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('Aborting');
  });
});
