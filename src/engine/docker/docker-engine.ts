import { CompileError } from '../../errors.ts';
import { formatReference } from '../../oci/reference.ts';
import type { Engine, EngineOptions } from '../engine.ts';
import { field } from '../storage-program.ts';
import { parseApiAddress } from './address.ts';
import type { Api, Docker } from './api.ts';
import { buildOverApi } from './build.ts';
import { makeApiBuildOptions } from './build-options.ts';
import { pullOverApi } from './pull.ts';

/** BuildKit, which has secrets that no layer ever holds, is there from this version of the API on. */
const OLDEST_API = [1, 39] as const;

/**
 * Connects to a Docker API: that of Docker, or of `podman system service`.
 *
 * @throws {CompileError} `ENGINE_MISSING` when nothing answers, `ENGINE_FAILED` when it is too old.
 * @throws {SpecError} `USAGE` for an address or an argument of `build` that an API does not have.
 */
export async function findDocker(options: EngineOptions, signal: AbortSignal): Promise<Engine> {
  const address = parseApiAddress(options.program, options.env ?? {});
  const buildOptions = makeApiBuildOptions(options.buildArguments);
  const { default: Client } = await import('dockerode');
  const docker = new Client(address.connection) as unknown as Docker;
  signal.throwIfAborted();
  const version: unknown = await docker.version().catch((error: unknown) => {
    signal.throwIfAborted();
    throw unreachable(address.name, error);
  });
  const isPodman = componentsOf(version).includes('Podman Engine');
  checkVersion(String(field(version, 'ApiVersion')), address.name);
  const name = isPodman ? 'podman API' : 'docker';
  const api: Api = { docker, name, isPodman, options, buildOptions };
  const pulls = new Map<string, Promise<string>>();
  return {
    name,
    version: String(field(version, 'Version')),
    pull(request) {
      const key = `${request.arch} ${formatReference(request.image)}`;
      const pull = pulls.get(key) ?? pullOverApi(api, request);
      pulls.set(key, pull);
      pull.catch(() => pulls.delete(key));
      return pull;
    },
    build: (request) => buildOverApi(api, request),
  };
}

function componentsOf(version: unknown): readonly unknown[] {
  const components = field(version, 'Components');
  return Array.isArray(components) ? components.map((component) => field(component, 'Name')) : [];
}

function checkVersion(version: string, address: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST_API[0] || (major === OLDEST_API[0] && minor >= OLDEST_API[1])) return;
  throw new CompileError(
    'ENGINE_FAILED',
    `Cannot use the engine at ${address}: its API ${version} is too old`,
    {
      hint: 'Docker 18.09 or newer is needed, or podman 4.2; --engine podman and --engine buildah need no daemon.',
    },
  );
}

function unreachable(address: string, error: unknown): CompileError {
  const said = field(error, 'code');
  const code = typeof said === 'string' ? said : 'no answer';
  const hint =
    code === 'EACCES'
      ? 'This account may not use the socket: join its group, or use --engine podman.'
      : 'Start the daemon ("systemctl start docker", or "systemctl --user start podman.socket"), or name its address with --engine or DOCKER_HOST.';
  return new CompileError('ENGINE_MISSING', `Cannot compile: no engine answers at ${address} (${code})`, {
    cause: error,
    hint,
  });
}
