import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { publisherOf } from '../../../src/resolve/signatures/publishers.ts';
import { makeReleaseTrust, type ReleaseTrustOptions } from '../../../src/resolve/signatures/release-trust.ts';
import {
  parseSignatureMaps,
  parseStore,
  parseVerificationPolicy,
} from '../../../src/resolve/signatures/verification-policy.ts';
import { makeTestIo } from '../../support/io.ts';
import { serveFiles } from '../../support/web-server.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/releases');
const SIGNATURE = readFileSync(join(FIXTURES, 'signature-4.15.0-x86_64'));
const HEX = '0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363';
const DIGEST = parseDigest(`sha256:${HEX}`);
const OFFICIAL = parseReference('quay.io/openshift-release-dev/ocp-release');
const COPY = parseReference('mirror.example.com/ocp/release');
const KEY = '567E347AD0044ADE55BA8A5F199E2F91FD431D51';
/** Nobody listens on the port of discard. */
const NOWHERE = 'http://127.0.0.1:9';

/** The policy of the publisher, with stores of this machine in place of those of the internet. */
function options(stores: readonly string[], rest: Partial<ReleaseTrustOptions> = {}): ReleaseTrustOptions {
  return {
    mode: 'auto',
    policies: [],
    signatures: [],
    stores: [],
    publisherOf: async (reference) => {
      const publisher = await publisherOf(reference);
      return { ...publisher, policy: { ...publisher.policy, stores } };
    },
    ...rest,
  };
}

describe('the trust in a release', () => {
  it('comes from the first store that has a signature', async () => {
    await using empty = await serveFiles({});
    await using store = await serveFiles({ [`/sha256=${HEX}/signature-1`]: SIGNATURE });
    const trust = makeReleaseTrust(options([empty.url, store.url]), makeTestIo());

    expect((await trust.verify({ reference: OFFICIAL, digest: DIGEST }))?.fingerprints).toEqual([KEY]);
    expect(empty.requests).toEqual([`/sha256=${HEX}/signature-1`]);
    expect(store.requests).toEqual([`/sha256=${HEX}/signature-1`, `/sha256=${HEX}/signature-2`]);
  });

  it('is kept, and verified again without a store', async () => {
    await using store = await serveFiles({ [`/sha256=${HEX}/signature-1`]: SIGNATURE });
    const io = makeTestIo();
    await makeReleaseTrust(options([store.url]), io).verify({ reference: OFFICIAL, digest: DIGEST });

    const later = makeReleaseTrust(options([NOWHERE]), io);

    expect((await later.verify({ reference: OFFICIAL, digest: DIGEST }))?.fingerprints).toEqual([KEY]);
  });

  it('comes from ConfigMaps without any network', async () => {
    const map = `kind: ConfigMap\nbinaryData: { sha256-${HEX}-1: ${SIGNATURE.toString('base64')} }\n`;
    const signatures = [parseSignatureMaps(Buffer.from(map), 'signatures.yaml')];
    const trust = makeReleaseTrust(options([NOWHERE], { signatures }), makeTestIo());

    expect((await trust.verify({ reference: COPY, digest: DIGEST }))?.fingerprints).toEqual([KEY]);
  });

  it('comes from a directory in the form of a store', async () => {
    const io = makeTestIo();
    await io.withTemporaryDirectory(async (directory) => {
      const { mkdir, writeFile } = await import('node:fs/promises');
      await mkdir(join(directory, `sha256=${HEX}`));
      await writeFile(join(directory, `sha256=${HEX}`, 'signature-1'), SIGNATURE);
      const trust = makeReleaseTrust(options([], { stores: [`file://${directory}`] }), io);

      expect((await trust.verify({ reference: COPY, digest: DIGEST }))?.fingerprints).toEqual([KEY]);
    });
  });

  it('comes from a store when what is kept or given is by other keys, and is kept beside it', async () => {
    await using store = await serveFiles({ [`/sha256=${HEX}/signature-1`]: SIGNATURE });
    const io = makeTestIo();
    const key = `release-signatures-sha256-${HEX}`;
    const other = Buffer.from('of another key').toString('base64');
    await io.cache.put(key, Buffer.from(JSON.stringify([other])));
    const map = `kind: ConfigMap\nbinaryData: { sha256-${HEX}-1: bm90aGluZw== }\n`;
    const signatures = [parseSignatureMaps(Buffer.from(map), 'signatures.yaml')];

    const trust = makeReleaseTrust(options([store.url], { signatures }), io);

    expect((await trust.verify({ reference: OFFICIAL, digest: DIGEST }))?.fingerprints).toEqual([KEY]);
    const kept = JSON.parse(Buffer.from((await io.cache.get(key))!).toString()) as string[];
    expect(kept).toEqual(expect.arrayContaining([other, SIGNATURE.toString('base64')]));
  });

  it('comes from the next store when what one has does not hold', async () => {
    await using stale = await serveFiles({ [`/sha256=${HEX}/signature-1`]: 'no signature' });
    await using store = await serveFiles({ [`/sha256=${HEX}/signature-1`]: SIGNATURE });
    const trust = makeReleaseTrust(options([stale.url, store.url]), makeTestIo());

    expect((await trust.verify({ reference: OFFICIAL, digest: DIGEST }))?.fingerprints).toEqual([KEY]);
  });

  it('comes from the keys of one of several policies, and from none of them when no key has signed', async () => {
    const policies = ['okd', 'openshift'].map((name) => {
      const file = `release-verification-${name}.yaml`;
      return { ...parseVerificationPolicy(readFileSync(join(FIXTURES, file)), file), stores: [] };
    });
    const map = `kind: ConfigMap\nbinaryData: { sha256-${HEX}-1: ${SIGNATURE.toString('base64')} }\n`;
    const signatures = [parseSignatureMaps(Buffer.from(map), 'signatures.yaml')];
    const trustIn = (trusted: typeof policies) =>
      makeReleaseTrust(options([], { signatures, policies: trusted }), makeTestIo()).verify({
        reference: OFFICIAL,
        digest: DIGEST,
      });

    expect((await trustIn(policies))?.fingerprints).toEqual([KEY]);
    await expect(trustIn(policies.slice(0, 1))).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
  });

  it('is refused when a store answers that an official release has none', async () => {
    await using store = await serveFiles({});
    const trust = makeReleaseTrust(options([store.url]), makeTestIo());

    await expect(trust.verify({ reference: OFFICIAL, digest: DIGEST })).rejects.toMatchObject({
      code: 'SIGNATURE_MISSING',
      message: `Cannot find a signature of release quay.io/openshift-release-dev/ocp-release@${DIGEST}: there is none in ${store.url}`,
    });
  });

  it('is refused when what a store has does not hold', async () => {
    await using store = await serveFiles({ [`/sha256=${HEX}/signature-1`]: 'no signature' });
    const trust = makeReleaseTrust(options([store.url]), makeTestIo());

    await expect(trust.verify({ reference: OFFICIAL, digest: DIGEST })).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    });
  });

  it('is left open, and that is said once for each release, where no store can be reached', async () => {
    const io = makeTestIo();
    const trust = makeReleaseTrust(options([NOWHERE]), io);

    expect(await trust.verify({ reference: OFFICIAL, digest: DIGEST })).toBeUndefined();
    expect(await trust.verify({ reference: OFFICIAL, digest: DIGEST })).toBeUndefined();
    const warnings = io.events.filter(({ type }) => type === 'warning');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      message: expect.stringContaining('was not checked: Cannot read the signature') as string,
    });
  });

  it('is required of any release when the user says so', async () => {
    const trust = makeReleaseTrust(options([NOWHERE], { mode: 'require' }), makeTestIo());

    await expect(trust.verify({ reference: COPY, digest: DIGEST })).rejects.toMatchObject({
      code: 'SIGNATURE_MISSING',
    });
  });

  it('is no question for releases of others, nor when it is off', async () => {
    const io = makeTestIo();

    for (const [mode, reference] of [
      ['auto', COPY],
      ['off', OFFICIAL],
    ] as const) {
      const trust = makeReleaseTrust(options([NOWHERE], { mode }), io);
      expect(await trust.verify({ reference, digest: DIGEST })).toBeUndefined();
    }
    expect(io.events).toEqual([]);
  });
});

describe('parseStore()', () => {
  it.each(['file:///a%zz', 'file:///a%', 'file:///%ff', 'ftp://example.com', 'https://'])(
    'refuses %s, which is no address',
    (text) => {
      expect(() => parseStore(text, 'keys.yaml')).toThrow('is no address');
    },
  );

  it('takes a directory whose name has "%" and spaces', () => {
    expect(parseStore('file:///a%20b/%25/', 'keys.yaml')).toBe('file:///a%20b/%25');
  });
});
