import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { MAX_CONFIG_BYTES, parseConfig } from '../../src/oci/config.ts';
import { digestOf } from '../../src/oci/digest.ts';

const DIFF_ID = digestOf(Buffer.from('tar'));

function parse(json: unknown) {
  return parseConfig(Buffer.from(JSON.stringify(json)));
}

describe('parseConfig()', () => {
  it('reads what layering needs, and keeps every other key', () => {
    const json = {
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { version: '418.94.1' }, Cmd: ['/sbin/init'], StopSignal: 'SIGRTMIN+3' },
      rootfs: { type: 'layers', diff_ids: [DIFF_ID] },
      history: [{ created_by: 'initramfs and rpmostree-unpackaged-content' }, { empty_layer: true }],
      docker_version: '1.13',
    };

    const config = parse(json);

    expect(config).toEqual({
      architecture: 'amd64',
      os: 'linux',
      labels: { version: '418.94.1' },
      diffIds: [DIFF_ID],
      history: [
        { createdBy: 'initramfs and rpmostree-unpackaged-content', isEmpty: false },
        { createdBy: '', isEmpty: true },
      ],
      json,
    });
  });

  it.each([{}, { config: null, rootfs: null, history: null }, { config: { Labels: null }, rootfs: {} }])(
    'reads %j',
    (json) => {
      expect(parse(json)).toMatchObject({ architecture: '', os: '', labels: {}, diffIds: [], history: [] });
    },
  );

  it.each<[unknown, string, RegExp]>([
    [[], 'CONFIG_INVALID', /image config: image config: it is not an object$/],
    [{ history: {} }, 'CONFIG_INVALID', /history is not a list$/],
    [{ history: [1] }, 'CONFIG_INVALID', /history: it is not an object$/],
    [{ rootfs: { diff_ids: DIFF_ID } }, 'CONFIG_INVALID', /diff_ids is not a list$/],
    [{ config: { Labels: { a: 1 } } }, 'CONFIG_INVALID', /"a" is not a string$/],
    [{ rootfs: { diff_ids: [1] } }, 'DIGEST_INVALID', /"1"$/],
  ])('refuses %j', (json, code, message) => {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
    );
  });

  it('refuses bytes that are not JSON', () => {
    expect(() => parseConfig(Buffer.from('{'))).toThrow('Cannot read an image config: it is not JSON');
  });

  it.each([
    ['a config over the limit', Buffer.alloc(MAX_CONFIG_BYTES + 1, ' ')],
    ['brackets without end', Buffer.from('['.repeat(10_000))],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseConfig(bytes)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
  });

  it('never throws anything but an OciError', () => {
    const value = fc.oneof(fc.constantFrom<unknown>([DIFF_ID], { Labels: {} }, [], {}), fc.jsonValue());
    const config = fc.record(
      { config: value, rootfs: fc.oneof(value, fc.record({ diff_ids: value })), history: value, os: value },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(config, (json) => {
        try {
          parse(json);
        } catch (error) {
          expect(error).toBeInstanceOf(OciError);
        }
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 300) },
    );
  });
});
