import { resolve } from 'node:path';
import type { Report } from '../events.ts';
import type { LayoutReference, RegistryReference } from '../oci/reference.ts';
import { makeCredentials } from './credentials.ts';
import { httpRepository } from './http/http-repository.ts';
import { makeNetwork } from './http/network.ts';
import type { Sleep } from './http/retry.ts';
import { layoutRepository } from './layout.ts';
import { checkLayoutDirectory, layoutDirectory } from './layout-directory.ts';
import type { LayoutStore } from './layout-store.ts';
import { mirroredRepository } from './mirrored-repository.ts';
import { findRule, insecureHostsOf, type MirrorRule } from './mirrors.ts';
import type { Images, Repository } from './repository.ts';
import { storageFailure } from './storage-failure.ts';

/** How registries, layouts and archives are reached. Everything has a default that suits a user's machine. */
export interface ImagesOptions {
  /** The one file with credentials; without it, those of podman and docker. */
  readonly authFile?: string | undefined;
  /** Where to read instead of, or before, the place that a name says; `loadMirrors` finds them. */
  readonly mirrors?: readonly MirrorRule[];
  /** Registries, `host` or `host:port`, that may be reached without TLS or with a certificate that nobody vouches for. */
  readonly insecureRegistries?: readonly string[];
  /** PEM files with CAs that are trusted beside the machine's own. */
  readonly caFiles?: readonly string[];
  /** Directories with `*.crt` (CAs) and `*.cert` with `*.key` (ourselves). */
  readonly certDirs?: readonly string[];
  /** Environment: proxies, `HOME`, `XDG_RUNTIME_DIR`, `REGISTRY_AUTH_FILE` and so on. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Directory that paths of layouts and archives start at; that of the process when absent. */
  readonly cwd?: string;
  readonly report?: Report;
  /** Stops everything when aborted. */
  readonly signal?: AbortSignal;
  /** Waits between attempts; tests count instead. */
  readonly sleep?: Sleep;
  /** Most connections to one host, for downloads and for the rest each; 8 when absent. */
  readonly maxConnections?: number;
  /** Blobs over this size are uploaded in chunks of it; when absent only where the registry wants it. */
  readonly chunkBytes?: number;
}

/** A mirror that is down must not hold up everything: there is another place to ask. */
const ATTEMPTS_AT_MIRROR = 2;

/** Opens repositories by their names. Connections, tokens and what was learnt are shared by all of them. */
export function makeImages(options: ImagesOptions): Images {
  const { signal, env = {}, mirrors = [], cwd = '' } = options;
  const network = makeNetwork({
    credentials: makeCredentials({ authFile: options.authFile, env, signal }),
    insecureHosts: spellings([...(options.insecureRegistries ?? []), ...insecureHostsOf(mirrors)]),
    caFiles: options.caFiles ?? [],
    certDirs: options.certDirs ?? [],
    env,
    report: options.report ?? (() => undefined),
    sleep: options.sleep,
    signal,
    maxConnections: options.maxConnections ?? 8,
    chunkBytes: options.chunkBytes,
  });
  const openRemote = (reference: RegistryReference, purpose: 'read' | 'write'): Repository => {
    const rule = purpose === 'read' ? findRule(mirrors, reference) : undefined;
    if (rule === undefined) return httpRepository(network, reference, { purpose });
    return mirroredRepository(reference, rule, (place, isLast) =>
      httpRepository(network, place, { purpose, ...(isLast ? {} : { attempts: ATTEMPTS_AT_MIRROR }) }),
    );
  };
  const writers = new Map<string, LayoutStore>();

  const openArchive = async (path: string, purpose: 'read' | 'write'): Promise<LayoutStore> => {
    if (purpose === 'read') return (await import('./archive-reader.ts')).openArchive(path);
    // Images that go into one archive in one run stand there together.
    const { archiveWriter } = await import('./archive-writer.ts');
    const writer = writers.get(path) ?? archiveWriter(path, signal);
    writers.set(path, writer);
    return writer;
  };
  const openLayout = async (
    { transport, path }: LayoutReference,
    purpose: 'read' | 'write',
  ): Promise<Repository> => {
    const place = resolve(cwd, path);
    try {
      if (transport === 'oci' && purpose === 'read') await checkLayoutDirectory(place);
      const store = transport === 'oci' ? layoutDirectory(place) : await openArchive(place, purpose);
      return layoutRepository({ transport, path }, store, signal);
    } catch (error) {
      throw storageFailure(`${transport}:${path}`, error);
    }
  };

  return {
    open: async (reference, purpose) =>
      reference.transport === 'docker' ? openRemote(reference, purpose) : openLayout(reference, purpose),
  };
}

/** Hosts as references and as URLs spell them: a URL leaves out the port that https has anyway. */
function spellings(hosts: readonly string[]): ReadonlySet<string> {
  const lower = hosts.map((host) => host.toLowerCase());
  return new Set([...lower, ...lower.map((host) => host.replace(/:443$/, ''))]);
}
