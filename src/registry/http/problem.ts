import { RegistryError } from '../../errors.ts';
import type { Credential } from '../credential.ts';
import { type HttpResponse, readStart } from './message.ts';

/** What is known about a request that failed. */
export interface Attempt {
  /** What was tried, for instance `read manifest v1 of quay.io/acme/driver`. */
  readonly doing: string;
  /** As users name the registry. */
  readonly host: string;
  readonly repository: string;
  readonly findCredential: () => Promise<Credential | undefined>;
}

interface Problem {
  readonly code: string;
  readonly message: string;
  readonly digest: string | undefined;
}

const MAX_BODY_BYTES = 64 * 1024;
const MAX_SHOWN = 160;
const UNKNOWN_BLOB = new Set(['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN']);

/** Makes an error out of an answer, with the registry's own words, shortened. */
export async function toRegistryError(response: HttpResponse, attempt: Attempt): Promise<RegistryError> {
  const { status } = response;
  const problems = await readProblems(response);
  const said =
    problems.length === 0
      ? ''
      : ` (${problems
          .map(shown)
          .join('; ')
          .slice(0, 2 * MAX_SHOWN)})`;
  const { doing, host } = attempt;

  if (status === 401) return notLoggedIn(attempt, status);
  if (status === 403) return forbidden(attempt, said);
  if (status === 404) {
    return new RegistryError('NOT_FOUND', `Cannot ${doing}: it is not there${said}`, { status });
  }
  if (problems.some(({ code }) => code === 'DIGEST_INVALID')) {
    return new RegistryError(
      'DIGEST_MISMATCH',
      `Cannot ${doing}: ${host} got other bytes than the digest says`,
      {
        status,
        hint: 'Try again; if it happens again, the source of the bytes is damaged.',
      },
    );
  }
  const isTooMany = status === 429;
  return new RegistryError('UNEXPECTED_STATUS', `Cannot ${doing}: ${host} answered ${status}${said}`, {
    status,
    ...(isTooMany ? { hint: 'The registry limits requests: wait, or use fewer --jobs.' } : {}),
    ...(status >= 500 ? { hint: 'The registry failed: try again later, or ask its operator.' } : {}),
  });
}

/** The error for a manifest that was refused; `BLOB_UNKNOWN` when the registry misses something that it names. */
export async function toManifestError(response: HttpResponse, attempt: Attempt): Promise<RegistryError> {
  if (response.status !== 400 && response.status !== 404) return toRegistryError(response, attempt);
  const problems = await readProblems(response);
  const unknown = problems.filter(({ code }) => UNKNOWN_BLOB.has(code));
  const { doing, host } = attempt;
  if (unknown.length > 0) {
    const blobs = [...new Set(unknown.flatMap(({ digest }) => (digest === undefined ? [] : [digest])))];
    const names = blobs.length > 0 ? ` ${blobs.slice(0, 5).join(', ')}` : ' some of its blobs';
    return new RegistryError('BLOB_UNKNOWN', `Cannot ${doing}: ${host} does not have${names}`, {
      status: response.status,
      blobs,
      hint: 'They may have expired since they were uploaded: run the same command again.',
    });
  }
  const said =
    problems.length === 0
      ? ''
      : ` (${problems
          .map(shown)
          .join('; ')
          .slice(0, 2 * MAX_SHOWN)})`;
  const code = response.status === 404 ? 'NOT_FOUND' : 'UNEXPECTED_STATUS';
  return new RegistryError(code, `Cannot ${doing}: ${host} answered ${response.status}${said}`, {
    status: response.status,
  });
}

async function notLoggedIn(attempt: Attempt, status: number): Promise<RegistryError> {
  const credential = await attempt.findCredential().catch(() => undefined);
  const state =
    credential === undefined
      ? `${attempt.host} wants a credential and there is none`
      : `${attempt.host} does not accept the credential from ${credential.source}`;
  return new RegistryError('UNAUTHORIZED', `Cannot ${attempt.doing}: ${state}`, {
    status,
    hint: credentialHint(attempt),
  });
}

async function forbidden(attempt: Attempt, said: string): Promise<RegistryError> {
  const credential = await attempt.findCredential().catch(() => undefined);
  const state =
    credential === undefined
      ? `${attempt.host} does not allow it without a credential`
      : `${attempt.host} does not allow it with the credential from ${credential.source}`;
  return new RegistryError('FORBIDDEN', `Cannot ${attempt.doing}: ${state}${said}`, {
    status: 403,
    hint: credential === undefined ? credentialHint(attempt) : 'Ask for access, or use another account.',
  });
}

/** Where a credential for a repository comes from. */
export function credentialHint({ host, repository }: Pick<Attempt, 'host' | 'repository'>): string {
  if (host === 'quay.io' && repository.startsWith('openshift-release-dev/')) {
    return 'Download the pull secret from https://console.redhat.com/openshift/install/pull-secret and pass it with --authfile.';
  }
  if (host === 'registry.redhat.io' || host === 'registry.connect.redhat.com') {
    return `Use the pull secret from https://console.redhat.com/openshift/install/pull-secret with --authfile, or run "podman login ${host}".`;
  }
  return `Run "podman login ${host}", or pass a file with credentials with --authfile.`;
}

async function readProblems(response: HttpResponse): Promise<readonly Problem[]> {
  try {
    const json: unknown = JSON.parse((await readStart(response, MAX_BODY_BYTES)).toString('utf8'));
    const errors = typeof json === 'object' && json !== null && 'errors' in json ? json.errors : undefined;
    return Array.isArray(errors) ? errors.slice(0, 200).map(toProblem) : [];
  } catch {
    // A page that a proxy made up, or a body that broke off: the status must do.
    return [];
  }
}

function toProblem(json: unknown): Problem {
  const { code, message, detail } = (typeof json === 'object' && json !== null ? json : {}) as Record<
    string,
    unknown
  >;
  const digest =
    typeof detail === 'object' && detail !== null && 'digest' in detail
      ? detail.digest
      : /sha256:[0-9a-f]{64}/.exec(typeof detail === 'string' ? detail : '')?.[0];
  return {
    code: typeof code === 'string' ? code : '',
    message: typeof message === 'string' ? message : '',
    digest: typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest) ? digest : undefined,
  };
}

function shown({ code, message }: Problem): string {
  // Control characters of a server must not reach a terminal, nor the query of a signed URL a log.
  const text = [code, message].filter((part) => part !== '').join(': ');
  return text
    .replaceAll(/\p{C}+/gu, ' ')
    .replaceAll(/\?\S+/g, '')
    .slice(0, MAX_SHOWN);
}
