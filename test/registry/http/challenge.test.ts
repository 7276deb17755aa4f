import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../../src/registry/http/challenge.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);

function plain(header: string) {
  return parseChallenges(header).map(({ scheme, parameters }) => ({
    scheme,
    ...Object.fromEntries(parameters),
  }));
}

describe('parseChallenges()', () => {
  it('reads what registries send', () => {
    const header =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"';

    expect(plain(header)).toEqual([
      {
        scheme: 'bearer',
        realm: 'https://auth.docker.io/token',
        service: 'registry.docker.io',
        scope: 'repository:a/b:pull,push',
      },
    ]);
  });

  it('reads several challenges of one header, with commas in and between them', () => {
    const header =
      'Negotiate, NTLM abc==, Basic realm="a, b" , charset=UTF-8,BEARER Realm = "x\\"y" ,error=e';

    expect(plain(header)).toEqual([
      { scheme: 'negotiate' },
      { scheme: 'ntlm' },
      { scheme: 'basic', realm: 'a, b', charset: 'UTF-8' },
      { scheme: 'bearer', realm: 'x"y', error: 'e' },
    ]);
  });

  it('takes the first of two values', () => {
    expect(plain('Bearer realm=one,realm=two')).toEqual([{ scheme: 'bearer', realm: 'one' }]);
  });

  it.each(['', ' , ,', '"', '=', 'realm="x"'])('makes nothing of %j', (header) => {
    expect(parseChallenges(header).every(({ parameters }) => parameters.size === 0)).toBe(true);
  });

  it('reads back any challenges that are written as the RFC says', () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9._-]{0,10}$/);
    const value = fc.string({ maxLength: 30 }).filter((text) => !/[\r\n]/.test(text));
    const challenge = fc.record({
      scheme: token,
      parameters: fc.uniqueArray(fc.tuple(token, value), {
        selector: ([name]) => name,
        minLength: 1,
        maxLength: 4,
      }),
    });

    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
        const header = challenges
          .map(
            ({ scheme, parameters }) =>
              `${scheme} ${parameters.map(([name, text]) => `${name}="${text.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}`,
          )
          .join(', ');

        const read = parseChallenges(header);

        expect(read.map(({ scheme, parameters }) => ({ scheme, parameters: [...parameters] }))).toEqual(
          challenges,
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('never throws and never takes long', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (header) => {
        expect(Array.isArray(parseChallenges(header))).toBe(true);
      }),
      { numRuns: RUNS },
    );
    expect(parseChallenges(`Bearer realm="${'\\"'.repeat(100_000)}`)).toHaveLength(1);
    expect(parseChallenges('a '.repeat(100_000)).length).toBeLessThanOrEqual(8192);
  });
});
