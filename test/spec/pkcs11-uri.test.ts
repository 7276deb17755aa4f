import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../src/errors.ts';
import { parsePkcs11Uri } from '../../src/spec/pkcs11-uri.ts';
import { fuzzRuns } from '../kmod/fuzz.ts';

describe('parsePkcs11Uri()', () => {
  it('reads what other tools print for a private key', () => {
    const uri =
      'pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=5f5c7652bd869a3b;token=lab;id=%01%fe;object=mod%2Csign;type=private';

    expect(parsePkcs11Uri(uri)).toEqual({
      model: 'SoftHSM v2',
      manufacturer: 'SoftHSM project',
      serial: '5f5c7652bd869a3b',
      token: 'lab',
      id: '01fe',
      object: 'mod,sign',
      slotId: undefined,
      modulePath: undefined,
      pinFile: undefined,
    });
  });

  it('reads the library and the file of the PIN behind "?"', () => {
    const uri = 'pkcs11:object=a;slot-id=18446744073?module-path=/usr/lib/a%20b.so&pin-source=file:/run/pin';

    expect(parsePkcs11Uri(uri)).toMatchObject({
      slotId: 18_446_744_073n,
      modulePath: '/usr/lib/a b.so',
      pinFile: '/run/pin',
    });
  });

  it.each([
    ['file:///run/pin', '/run/pin'],
    ['file:./pin', './pin'],
    ['/run/pin', '/run/pin'],
  ])('takes pin-source %s', (source, expected) => {
    expect(parsePkcs11Uri(`pkcs11:id=%01?pin-source=${source}`).pinFile).toBe(expected);
  });

  it.each([
    ['pkcs11:object=a?pin-value=hunter2', 'it holds the PIN'],
    ['pkcs11:object=a;pin-value=hunter2', 'it holds the PIN'],
    ['pkcs11:object=a?pin-source=|hunter2', 'its "pin-source" is no file'],
    ['pkcs11:object=a?pin-source=env:hunter2', 'its "pin-source" is no file'],
    ['pkcs11:object=a?pin-source=file://hunter2/pin', 'its "pin-source" is no file'],
    ['pkcs11:', 'it names no key'],
    ['pkcs11:token=hunter2', 'it names no key'],
    ['pkcs11:object=a;type=cert', 'its type is not "private"'],
    ['pkcs11:object=a;object=hunter2', '"object" is there twice'],
    ['pkcs11:object=hunter2%2', '"object" is malformed'],
    ['pkcs11:object=', '"object" is malformed'],
    ['pkcs11:object', '"object" is malformed'],
    ['pkcs11:object=hunter2%0a', '"object" is malformed'],
    ['pkcs11:object=%ff', '"object" is malformed'],
    ['pkcs11:object=hunter2 x', '"object" is malformed'],
    ['pkcs11:object=a;slot-id=-1', '"slot-id" is no number'],
    ['pkcs11:object=a;slot-description=b', 'attribute "slot-description" cannot be used here'],
    ['pkcs11:object=a;HUNTER2=b', 'an attribute cannot be used here'],
    ['pkcs11:object=a?module-name=b', 'attribute "module-name" cannot be used here'],
    ['pkcs11:object=a;module-path=b', 'attribute "module-path" cannot be used here'],
    ['PKCS11:object=a', 'it does not begin with "pkcs11:"'],
  ])('refuses %s and repeats nothing of it', (uri, why) => {
    const error = caught(uri);

    expect(error).toMatchObject({ code: 'VALUE_INVALID', message: `Cannot use this PKCS#11 URI: ${why}` });
    expect(`${error?.message} ${error?.hint}`).not.toMatch(/hunter2/i);
  });

  it('reads back any label that was escaped', () => {
    const label = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .filter((text) => !/[\0-\x1f\x7f]/.test(text));

    fc.assert(
      fc.property(label, (text) => {
        expect(parsePkcs11Uri(`pkcs11:object=${encodeURIComponent(text)}`).object).toBe(text);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        const error = caught(`pkcs11:${text}`);

        expect(error === undefined || error instanceof SpecError).toBe(true);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });
});

function caught(uri: string): SpecError | undefined {
  try {
    parsePkcs11Uri(uri);
    return undefined;
  } catch (error) {
    if (error instanceof SpecError) return error;
    throw error;
  }
}
