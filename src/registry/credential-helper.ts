import { RegistryError } from '../errors.ts';
import { recordOf } from '../oci/descriptor.ts';
import type { Credential } from './credential.ts';

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 1024 ** 2;
/** What helpers print when they have nothing; they have no other way to say so. */
const NOTHING =
  /credentials not found|no credentials server URL|item could not be found|not found in the keychain/i;

/**
 * Asks a credential helper for the credential of a host, which it gets on its standard input.
 *
 * @returns Undefined when the helper has none.
 * @throws {RegistryError} `CREDENTIALS_INVALID` when it cannot be run or fails; its output is never shown.
 * @see https://github.com/docker/docker-credential-helpers
 */
export async function askHelper(
  name: string,
  host: string,
  options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`;
  const url = host === 'docker.io' ? 'https://index.docker.io/v1/' : host;
  const { status, output } = await run(program, url, options);
  if (status !== 0) {
    if (NOTHING.test(output)) return undefined;
    throw failed(program, host, `it ended with status ${status}`);
  }
  try {
    const { Username, Secret } = recordOf(JSON.parse(output), 'answer');
    if (typeof Username !== 'string' || typeof Secret !== 'string') throw new Error('no Username or Secret');
    if (Username === '' && Secret === '') return undefined;
    const isToken = Username === '<token>';
    return {
      user: isToken ? '' : Username,
      password: isToken ? '' : Secret,
      identityToken: isToken ? Secret : undefined,
      source: program,
    };
  } catch {
    throw failed(program, host, 'it did not answer with Username and Secret');
  }
}

interface Outcome {
  readonly status: number;
  readonly output: string;
}

async function run(
  program: string,
  input: string,
  { env, signal }: { env: Readonly<Record<string, string | undefined>>; signal: AbortSignal | undefined },
): Promise<Outcome> {
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      env: { ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    });
    const parts: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > MAX_ANSWER_BYTES) child.kill();
      else parts.push(part);
    });
    child.on('error', (error) => {
      reject(signal?.aborted === true ? error : failed(program, input, 'it cannot be run', error));
    });
    child.on('close', (code) => {
      resolve({ status: code ?? -1, output: Buffer.concat(parts).toString('utf8') });
    });
    // A helper that ends without reading closes its end: its status says more than that.
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${input}\n`);
  });
}

function failed(program: string, host: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError(
    'CREDENTIALS_INVALID',
    `Cannot get the credential for ${host} from ${program}: ${why}`,
    {
      cause,
      hint: `A credentials file names this helper: see what "echo ${host} | ${program} get" says.`,
    },
  );
}
