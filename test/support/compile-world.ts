import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CompiledDriver, CompileRequest } from '../../src/compile/compile.ts';
import type { Engine, EngineOptions } from '../../src/engine/engine.ts';
import { findEngine, readEngineOptions } from '../../src/engine/find-engine.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import type { Driver, DriverBuild } from '../../src/spec/driver-set.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { makeRequest } from '../compile/requests.ts';
import { startWorldRegistry, worldRelease, type WorldRegistry, type WorldStream } from './world.ts';

const HELLO = join(import.meta.dirname, '../../fixtures/drivers/hello');

/** What a spec's `build` is when it says nothing. */
export const COMMAND = 'make -C "/usr/src/kernels/$KERNEL_RELEASE" M="$PWD" modules';

/** podman, the world's registry, and a directory that goes away with them. */
export interface CompileWorld {
  readonly registry: WorldRegistry;
  readonly options: EngineOptions;
  readonly engine: Engine;
  readonly directory: string;
  readonly stop: () => Promise<void>;
}

export async function startCompileWorld(): Promise<CompileWorld> {
  const registry = await startWorldRegistry();
  const directory = mkdtempSync(join(tmpdir(), 'kmodlayer-e2e-'));
  const options = {
    ...readEngineOptions(process.env),
    authFile: registry.authFile,
    certificateDirectory: registry.certDir,
  };
  const engine = await findEngine(options, new AbortController().signal);
  return {
    registry,
    options,
    engine,
    directory,
    stop: async () => {
      for (const name of [`${registry.host}/*/*`, 'localhost/kmodlayer/*']) {
        const ids = podman('images', '--quiet', '--no-trunc', '--filter', `reference=${name}`).split('\n');
        for (const id of new Set(ids.filter((line) => line !== ''))) podman('rmi', '--force', id);
      }
      await registry.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function podman(...args: readonly string[]): string {
  return execFileSync('podman', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Everything that a build could leave behind. */
export function traces(): Readonly<Record<string, unknown>> {
  const { store } = JSON.parse(podman('info', '--format', 'json')) as { store: { graphRoot: string } };
  const beside = dirname(store.graphRoot);
  const isOurs = (name: string): boolean =>
    /^(?:kmodlayer-(?:podman|pull|compile)|buildah|storage)/.test(name);
  return {
    images: podman('images', '--all', '--quiet'),
    containers: podman('ps', '--all', '--external', '--quiet'),
    beside: readdirSync(beside),
    temporary: [tmpdir(), '/var/tmp'].flatMap((path) => readdirSync(path).filter(isOurs)),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(`${beside}/kmodlayer-`)),
  };
}

export function streamOf(version: string, name = 'rhel-9'): WorldStream {
  const stream = worldRelease(version).streams.find((one) => one.name === name);
  if (stream === undefined) throw new Error(`no stream ${name} in ${version}`);
  return stream;
}

export interface RequestOptions {
  readonly image?: Reference;
  readonly kernel?: string;
  readonly stream?: WorldStream;
}

/** A request for the driver `hello` in 4.18.4, unless told otherwise; relative paths start at `directory`. */
export function requestFor(
  directory: string,
  build: DriverBuild,
  changes: Partial<Driver> = {},
  { image, kernel, stream = streamOf('4.18.4') }: RequestOptions = {},
): CompileRequest {
  const request = makeRequest(build, { source: { type: 'directory', path: HELLO }, ...changes });
  const location = image ?? parseReference(stream.driverToolkit);
  return {
    ...request,
    set: { file: join(directory, 'kmodlayer.yaml') },
    kernel: parseKernelRelease(kernel ?? stream.kernelRelease),
    target: { ...request.target, driverToolkit: { ...request.target.driverToolkit, location } },
  };
}

/** Writes modules to files and returns their paths, in the order of the spec. */
export function writeModules(directory: string, compiled: CompiledDriver): readonly string[] {
  const out = mkdtempSync(join(directory, 'modules-'));
  return compiled.modules.map(({ fileName, bytes }) => {
    const path = join(out, fileName);
    writeFileSync(path, bytes);
    return path;
  });
}

export function modinfo(field: string, path: string): string {
  return execFileSync('modinfo', ['-F', field, path], { encoding: 'utf8' }).trim();
}

/** A changed copy of the driver's source. */
export function copyHello(directory: string, change: (root: string) => void = () => undefined): string {
  const copy = mkdtempSync(join(directory, 'source-'));
  cpSync(HELLO, copy, { recursive: true });
  change(copy);
  return copy;
}
