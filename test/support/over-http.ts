import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type ImagesOptions, makeImages } from '../../src/registry/images.ts';
import type { Images, Repository } from '../../src/registry/repository.ts';
import { type TestAuth, TestRegistry } from './test-registry.ts';

/** A registry of this process and a client for it that does not really wait. */
export interface OverHttp {
  readonly registry: TestRegistry;
  readonly images: Images;
  readonly events: BuildEvent[];
  /** Waits between attempts, in milliseconds. */
  readonly slept: number[];
  readonly open: (name: string, purpose?: 'read' | 'write') => Promise<Repository>;
}

/**
 * Starts a registry and makes a client for it; both end with the test.
 *
 * @param options.credential User and password, parted by a colon, in the client's credentials file.
 */
export async function overHttp(
  options: { readonly auth?: TestAuth; readonly client?: ImagesOptions; readonly credential?: string } = {},
): Promise<OverHttp> {
  const registry = await new TestRegistry(options.auth === undefined ? {} : { auth: options.auth }).listen();
  onTestFinished(() => registry.close());
  const { credential } = options;
  const authFile =
    credential === undefined
      ? undefined
      : await authFileWith({
          auths: { [registry.host]: { auth: Buffer.from(credential).toString('base64') } },
        });
  const events: BuildEvent[] = [];
  const slept: number[] = [];
  const images = makeImages({
    env: { HOME: '/nonexistent', XDG_RUNTIME_DIR: '/nonexistent' },
    insecureRegistries: [registry.host],
    report: (event) => events.push(event),
    sleep: async (ms) => {
      slept.push(ms);
    },
    authFile,
    ...options.client,
  });
  return {
    registry,
    images,
    events,
    slept,
    open: (name, purpose = 'write') => images.open(parseReference(`${registry.host}/${name}`), purpose),
  };
}

/** Writes a credentials file that is removed after the test. */
export async function authFileWith(content: unknown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'auth-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, 'auth.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}
