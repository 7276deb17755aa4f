import { describe, expect, it } from 'vitest';
import { withoutCredentials } from '../src/without-credentials.ts';

describe('withoutCredentials()', () => {
  it('drops user name and password of a URL', () => {
    expect(withoutCredentials('cloning https://me:token@example.com/a.git')).toBe(
      'cloning https://***@example.com/a.git',
    );
  });
});
