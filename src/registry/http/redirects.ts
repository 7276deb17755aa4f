import { RegistryError } from '../../errors.ts';
import { discard, type HttpRequest, isSameOrigin, resolveUrl, type Send, shownUrl } from './message.ts';

const MAX_HOPS = 5;
const STATUSES = new Set([301, 302, 303, 307, 308]);

/**
 * Follows redirects of downloads, as registries answer them that keep blobs elsewhere. Another origin never gets the
 * credential, and a registry with TLS cannot send anyone to a place without it.
 *
 * @throws {RegistryError} `UNEXPECTED_STATUS` for a redirect that leads nowhere or down to plain HTTP.
 */
export function withRedirects(next: Send): Send {
  return async (request) => {
    let current: HttpRequest = request;
    for (let hop = 0; ; hop++) {
      const response = await next(current);
      const location = response.header('location');
      const isFollowed = request.method === 'GET' && STATUSES.has(response.status) && location !== undefined;
      if (!isFollowed) return response;
      discard(response);
      if (hop === MAX_HOPS) throw refused(request.url, `it redirects more than ${MAX_HOPS} times`);
      const url = resolveUrl(location, current.url);
      if (url === undefined) {
        throw refused(request.url, 'it redirects to something that is no web address');
      }
      if (current.url.protocol === 'https:' && url.protocol === 'http:') {
        throw refused(request.url, `it redirects to ${url.host} without TLS`);
      }
      current = follow(current, url);
    }
  };
}

function follow(request: HttpRequest, url: URL): HttpRequest {
  if (isSameOrigin(request.url, url)) return { ...request, url };
  const { method, isDownload, signal } = request;
  const kept = Object.entries(request.headers).filter(([name]) => !/^(?:authorization|cookie)$/i.test(name));
  return { method, url, headers: Object.fromEntries(kept), isDownload: isDownload === true, signal };
}

function refused(url: URL, why: string): RegistryError {
  return new RegistryError('UNEXPECTED_STATUS', `Cannot follow the answer of ${shownUrl(url)}: ${why}`);
}
