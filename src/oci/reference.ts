import { OciError } from '../errors.ts';
import { parseDigest, type Digest } from './digest.ts';
import { parseTag, type Tag } from './tag.ts';

/** An image in a registry: `quay.io/a/b:tag@sha256:...`. */
export interface RegistryReference {
  readonly transport: 'docker';
  /** Host and port, as credentials and mirrors name it, for instance `quay.io` or `localhost:5000`. */
  readonly host: string;
  /** Path in the registry, for instance `openshift-release-dev/ocp-release`. */
  readonly repository: string;
  readonly tag?: Tag;
  readonly digest?: Digest;
}

/** An image in a directory with an OCI layout, or in a tar of one. */
export interface LayoutReference {
  readonly transport: 'oci' | 'oci-archive';
  /** Directory or file; never with a `:`, which starts the tag. */
  readonly path: string;
  readonly tag?: Tag;
  readonly digest?: Digest;
}

/** Names an image the way users of skopeo do. */
export type Reference = RegistryReference | LayoutReference;

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

/**
 * Reads an image name: `quay.io/a/b:tag`, `quay.io/a/b@sha256:...`, `docker://...`, `oci:DIR[:TAG][@DIGEST]` or
 * `oci-archive:FILE[:TAG]`. A registry name must say its host: there is no default registry.
 *
 * @throws {OciError} `REFERENCE_INVALID`, `TAG_INVALID` or `DIGEST_INVALID`.
 */
export function parseReference(text: string): Reference {
  if (text.length > 4096 || hasControl(text))
    throw invalid(text, 'it is too long or holds control characters');
  if (text.startsWith('oci-archive:'))
    return parseLayout('oci-archive', text.slice('oci-archive:'.length), text);
  if (text.startsWith('oci:')) return parseLayout('oci', text.slice('oci:'.length), text);
  return parseRegistryReference(text.replace(/^docker:\/\//, ''), text);
}

/** The name in its one canonical spelling; `parseReference` of it gives an equal reference. */
export function formatReference(reference: Reference): string {
  const name =
    reference.transport === 'docker'
      ? `${reference.host}/${reference.repository}`
      : `${reference.transport}:${reference.path}`;
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${name}${tag}${digest}`;
}

/** The same place, pinned to a digest and without a tag. */
export function pinned(reference: Reference, digest: Digest): Reference {
  return { ...unpinned(reference), digest };
}

/** The same place under a tag. */
export function tagged(reference: Reference, tag: Tag): Reference {
  return { ...unpinned(reference), tag };
}

/** The repository alone, with neither tag nor digest. */
export function unpinned(reference: Reference): Reference {
  return reference.transport === 'docker'
    ? { transport: 'docker', host: reference.host, repository: reference.repository }
    : { transport: reference.transport, path: reference.path };
}

function parseRegistryReference(name: string, text: string): RegistryReference {
  const at = name.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(name.slice(at + 1));
  const rest = at < 0 ? name : name.slice(0, at);
  const slash = rest.indexOf('/');
  const host = rest.slice(0, Math.max(slash, 0));
  if (!(/[.:]/.test(host) || host === 'localhost') || !HOST.test(host) || !hasSanePort(host)) {
    throw invalid(
      text,
      'it names no registry host',
      'Write the host, for instance "quay.io/acme/driver:1.0".',
    );
  }
  const colon = rest.indexOf(':', slash);
  const repository = rest.slice(slash + 1, colon < 0 ? undefined : colon);
  if (repository.length > 255 || !repository.split('/').every((component) => COMPONENT.test(component))) {
    throw invalid(
      text,
      'its repository is not a valid path',
      'Repository paths have lower-case letters, digits, ".", "_", "-" and "/".',
    );
  }
  return {
    transport: 'docker',
    host: host.toLowerCase(),
    repository,
    ...(colon < 0 ? {} : { tag: parseTag(rest.slice(colon + 1)) }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function hasSanePort(host: string): boolean {
  const port = /:(?<port>\d+)$/.exec(host)?.groups?.['port'];
  return port === undefined || (Number(port) > 0 && Number(port) < 65_536);
}

function parseLayout(transport: 'oci' | 'oci-archive', name: string, text: string): LayoutReference {
  const at = name.indexOf('@sha256');
  const digest = at < 0 ? undefined : parseDigest(name.slice(at + 1));
  const rest = at < 0 ? name : name.slice(0, at);
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  if (path === '') throw invalid(text, 'it names no path');
  return {
    transport,
    path,
    ...(colon < 0 ? {} : { tag: parseTag(rest.slice(colon + 1)) }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) < 0x20 || text.charCodeAt(at) === 0x7f) return true;
  return false;
}

function invalid(text: string, why: string, hint?: string): OciError {
  return new OciError(
    'REFERENCE_INVALID',
    `Cannot use image name ${JSON.stringify(text.slice(0, 200))}: ${why}`,
    { hint },
  );
}
