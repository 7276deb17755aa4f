import { resolve } from 'node:path';
import type { Report } from '../events.ts';
import { RegistryError } from '../errors.ts';
import { formatReference, type RegistryReference } from '../oci/reference.ts';
import { makeCredentials } from './credentials.ts';
import { httpRepository } from './http/http-repository.ts';
import { makeNetwork } from './http/network.ts';
import type { Sleep } from './http/retry.ts';
import { layoutRepository } from './layout.ts';
import { checkLayoutDirectory, layoutDirectory } from './layout-directory.ts';
import type { Images, Repository } from './repository.ts';

/** How registries, layouts and archives are reached. Everything has a default that suits a user's machine. */
export interface ImagesOptions {
  /** The one file with credentials; without it, those of podman and docker. */
  readonly authFile?: string | undefined;
  /** Registries, `host` or `host:port`, that may be reached without TLS or with a certificate that nobody vouches for. */
  readonly insecureRegistries?: readonly string[];
  /** PEM files with CAs that are trusted beside the machine's own. */
  readonly caFiles?: readonly string[];
  /** Directories with `*.crt` (CAs) and `*.cert` with `*.key` (ourselves). */
  readonly certDirs?: readonly string[];
  /** Environment: proxies, `HOME`, `XDG_RUNTIME_DIR`, `REGISTRY_AUTH_FILE` and so on. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
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

/** Opens repositories by their names. Connections, tokens and what was learnt are shared by all of them. */
export function makeImages(options: ImagesOptions): Images {
  const { signal, env = {} } = options;
  const network = makeNetwork({
    credentials: makeCredentials({ authFile: options.authFile, env, signal }),
    insecureHosts: new Set(options.insecureRegistries),
    caFiles: options.caFiles ?? [],
    certDirs: options.certDirs ?? [],
    env,
    report: options.report ?? (() => undefined),
    sleep: options.sleep,
    signal,
    maxConnections: options.maxConnections ?? 8,
    chunkBytes: options.chunkBytes,
  });
  const openRemote = (reference: RegistryReference, purpose: 'read' | 'write'): Repository =>
    httpRepository(network, reference, { purpose });

  return {
    async open(reference, purpose) {
      if (reference.transport === 'docker') return openRemote(reference, purpose);
      if (reference.transport !== 'oci') {
        throw new RegistryError('UNSUPPORTED', `Cannot open ${formatReference(reference)}`);
      }
      const directory = resolve(reference.path);
      if (purpose === 'read') await checkLayoutDirectory(directory);
      return layoutRepository({ transport: 'oci', path: reference.path }, layoutDirectory(directory), signal);
    },
  };
}
