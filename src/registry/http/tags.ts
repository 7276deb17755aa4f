import { RegistryError } from '../../errors.ts';
import { ConnectionError } from './connection-error.ts';
import { isSameOrigin, readStart, resolveUrl } from './message.ts';
import { attempting, failureOf, type RepositoryClient, requestFor } from './repository-client.ts';
import { parseLinks } from './links.ts';

const PAGE = 1000;
const MAX_PAGE_BYTES = 8 * 1024 ** 2;

/** Lists tags over as many pages as it takes, at most `limit`. */
export async function listTags(client: RepositoryClient, limit: number): Promise<readonly string[]> {
  const doing = `list the tags of ${client.where}`;
  return attempting(client, doing, async () => {
    const tags = new Set<string>();
    let request = await requestFor(client, 'GET', 'tags/list');
    request.url.searchParams.set('n', String(Math.min(limit, PAGE)));
    while (tags.size < limit) {
      const response = await client.send(request);
      if (response.status !== 200) throw await failureOf(client, response, doing);
      const before = tags.size;
      let page: Buffer;
      try {
        page = await readStart(response, MAX_PAGE_BYTES);
      } catch (error) {
        throw new ConnectionError(error);
      }
      for (const tag of parsePage(page, doing)) tags.add(tag);
      const next = parseLinks(response.header('link') ?? '').get('next');
      // A page that brings nothing new would be followed by itself for ever.
      const url = next === undefined ? undefined : resolveUrl(next, request.url);
      if (url === undefined || tags.size === before) break;
      if (url.hostname === request.url.hostname) url.protocol = request.url.protocol;
      if (!isSameOrigin(url, request.url)) break;
      request = { ...request, url };
    }
    return [...tags].slice(0, limit);
  });
}

function parsePage(bytes: Buffer, doing: string): readonly string[] {
  let tags: unknown;
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'));
    tags = typeof json === 'object' && json !== null && 'tags' in json ? (json.tags ?? []) : undefined;
  } catch {
    tags = undefined;
  }
  if (!Array.isArray(tags)) {
    throw new RegistryError('UNEXPECTED_STATUS', `Cannot ${doing}: the answer is no list of tags`, {
      status: 200,
    });
  }
  return tags.filter((tag): tag is string => typeof tag === 'string');
}
