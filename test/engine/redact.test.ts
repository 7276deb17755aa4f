import { describe, expect, it } from 'vitest';
import { makeRedact } from '../../src/engine/redact.ts';

describe('makeRedact()', () => {
  it('blots out every line of a secret, wherever it stands', () => {
    const redact = makeRedact([
      '-----BEGIN PRIVATE KEY-----\nMIIabcdef\nghijklmn\n-----END PRIVATE KEY-----\n',
      'hunter22\n',
    ]);

    expect(redact('+ cat key: MIIabcdef ghijklmn and hunter22')).toBe('+ cat key: *** *** and ***');
  });

  it('leaves words alone that are too short to be a secret', () => {
    expect(makeRedact(['yes\n\n'])('yes, sir')).toBe('yes, sir');
  });

  it('leaves no part of a longer secret when a shorter one is contained in it', () => {
    expect(makeRedact(['secret', 'secret-and-more'])('secret-and-more')).toBe('***');
  });
});
