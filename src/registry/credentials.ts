import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { RegistryError } from '../errors.ts';
import { fileErrorCode } from './atomic-file.ts';
import { type AuthFile, type AuthFormat, findEntry, findHelper, parseAuthFile } from './auth-file.ts';
import type { Credential } from './credential.ts';
import { askHelper } from './credential-helper.ts';

/** Finds credentials; each file is read once and each helper asked once. */
export interface Credentials {
  /**
   * The credential that is closest to a repository, or undefined.
   *
   * @throws {RegistryError} `CREDENTIALS_INVALID` for a file or helper that does not work.
   */
  find(host: string, repository: string): Promise<Credential | undefined>;
}

export interface CredentialsOptions {
  /** The one file to look in; the others are then not read. */
  readonly authFile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

interface Candidate {
  readonly path: string;
  readonly format: AuthFormat;
  /** Absent is an error: the user named this file. */
  readonly isRequired: boolean;
}

/**
 * Looks for credentials where podman and docker keep them.
 *
 * @see containers-auth.json(5)
 */
export function makeCredentials(options: CredentialsOptions): Credentials {
  const { env, signal } = options;
  const files = new Map<string, Promise<AuthFile | undefined>>();
  const answers = new Map<string, Promise<Credential | undefined>>();
  const read = (candidate: Candidate): Promise<AuthFile | undefined> => {
    const found = files.get(candidate.path) ?? readAuthFile(candidate);
    files.set(candidate.path, found);
    return found;
  };
  const ask = (program: string, host: string): Promise<Credential | undefined> => {
    const key = `${program} ${host}`;
    const found = answers.get(key) ?? askHelper(program, host, { env, signal });
    answers.set(key, found);
    return found;
  };

  return {
    async find(host, repository) {
      for (const candidate of candidatesOf(options)) {
        const file = await read(candidate);
        if (file === undefined) continue;
        const helper = findHelper(file, host);
        const fromHelper = helper === undefined ? undefined : await ask(helper, host);
        if (fromHelper !== undefined) return fromHelper;
        const entry = findEntry(file, host, repository);
        if (entry !== undefined) return { ...entry, source: candidate.path };
        const fromStore = file.store === undefined ? undefined : await ask(file.store, host);
        if (fromStore !== undefined) return fromStore;
      }
      return undefined;
    },
  };
}

/** Files that may hold a credential, in the order in which they are looked into. */
function candidatesOf({ authFile, env }: CredentialsOptions): readonly Candidate[] {
  if (authFile !== undefined) return [{ path: authFile, format: 'containers', isRequired: true }];
  const fromEnv = env['REGISTRY_AUTH_FILE'];
  if (fromEnv !== undefined && fromEnv !== '') {
    return [{ path: fromEnv, format: 'containers', isRequired: false }];
  }
  const home = env['HOME'] ?? homedir();
  const runtime = env['XDG_RUNTIME_DIR'];
  const uid = process.getuid?.() ?? 0;
  const paths = [
    runtime === undefined || runtime === ''
      ? `/run/containers/${uid}/auth.json`
      : join(runtime, 'containers', 'auth.json'),
    join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'containers', 'auth.json'),
    join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
  ];
  return [
    ...paths.map((path) => ({ path, format: 'containers' as const, isRequired: false })),
    { path: join(home, '.dockercfg'), format: 'dockercfg', isRequired: false },
  ];
}

async function readAuthFile({ path, format, isRequired }: Candidate): Promise<AuthFile | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = fileErrorCode(error);
    if (!isRequired && (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES')) return undefined;
    throw new RegistryError(
      'CREDENTIALS_INVALID',
      `Cannot read the credentials in ${path}: ${code ?? 'error'}`,
      {
        cause: error,
      },
    );
  }
  return bytes.length === 0 ? undefined : parseAuthFile(bytes, path, format);
}
