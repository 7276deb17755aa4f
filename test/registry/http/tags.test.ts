import { describe, expect, it } from 'vitest';
import { parseLinks } from '../../../src/registry/http/links.ts';
import { overHttp } from '../../support/over-http.ts';

const IMAGE = { schemaVersion: 2, layers: [] };
const LIST = /tags\/list/;

describe('listTags()', () => {
  it('follows pages to the end', async () => {
    const { registry, open } = await overHttp();
    registry.pageSize = 3;
    const tags = Array.from({ length: 8 }, (_, at) => `t${at}`);
    for (const tag of tags) registry.putManifest('a/b', IMAGE, tag);

    const listed = await (await open('a/b')).listTags(100);

    expect(listed).toEqual(tags);
    expect(registry.count('GET', LIST)).toBe(3);
  });

  it('stops when it has enough', async () => {
    const { registry, open } = await overHttp();
    registry.pageSize = 3;
    for (let at = 0; at < 8; at++) registry.putManifest('a/b', IMAGE, `t${at}`);

    const listed = await (await open('a/b')).listTags(4);

    expect(listed).toEqual(['t0', 't1', 't2', 't3']);
    expect(registry.count('GET', LIST)).toBe(2);
  });

  it('does not follow a page that leads to itself, nor to another host', async () => {
    const { registry, open } = await overHttp();
    const page = (link: string) =>
      ({ kind: 'status', status: 200, headers: { link }, body: '{"tags":["a"]}' }) as const;
    registry.fail({ path: LIST, times: 3, action: page('</v2/a/b/tags/list>; rel="next"') });
    const itself = await (await open('a/b')).listTags(10);
    registry.clearFaults();
    registry.fail({ path: LIST, action: page('<http://evil.example/tags>; rel="next"') });
    const elsewhere = await (await open('a/b')).listTags(10);

    expect(itself).toEqual(['a']);
    expect(elsewhere).toEqual(['a']);
  });

  it.each(['{"tags":null}', '{}'])('makes nothing of %s', async (body) => {
    const { registry, open } = await overHttp();
    registry.fail({ path: LIST, action: { kind: 'status', status: 200, body: '{"name":"x","tags":null}' } });
    const none = await (await open('a/b')).listTags(10);
    registry.clearFaults();
    registry.fail({ path: LIST, action: { kind: 'status', status: 200, body } });

    const listed = (await open('a/b')).listTags(10);

    expect(none).toEqual([]);
    if (body === '{}') await expect(listed).rejects.toMatchObject({ code: 'UNEXPECTED_STATUS' });
    else expect(await listed).toEqual([]);
  });
});

describe('parseLinks()', () => {
  it('reads relations with and without quotes', () => {
    const links = parseLinks('</a?n=1&last=x,y>; title="t"; rel="next last", </b>;rel=prev , </c>');

    expect([...links]).toEqual([
      ['next', '/a?n=1&last=x,y'],
      ['last', '/a?n=1&last=x,y'],
      ['prev', '/b'],
    ]);
  });

  it('does not take long over nonsense', () => {
    expect(parseLinks('<'.repeat(100_000)).size).toBe(0);
    expect(parseLinks(`<a>${';a=b'.repeat(10_000)}`).size).toBe(0);
    expect(parseLinks(`<a>${' ;'.repeat(10_000)}`).size).toBe(0);
  });
});
