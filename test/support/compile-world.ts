import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** podman with a storage of its own, the world's registry, and a directory that goes away with them. */
export interface CompileWorld {
  readonly registry: WorldRegistry;
  readonly options: EngineOptions;
  readonly engine: Engine;
  readonly directory: string;
  /** Runs podman on the storage of this world. */
  readonly podman: (...args: readonly string[]) => string;
  /** Everything that a build could leave behind. */
  readonly traces: () => Readonly<Record<string, unknown>>;
  readonly stop: () => Promise<void>;
}

export async function startCompileWorld(): Promise<CompileWorld> {
  const registry = await startWorldRegistry();
  const directory = mkdtempSync(join(tmpdir(), 'kmodlayer-e2e-'));
  const storage = mkdtempSync('/var/tmp/kmodlayer-e2e-');
  const basic = { ...readEngineOptions(process.env), program: 'podman' };
  const globalArguments = [
    ...basic.globalArguments,
    ...['--root', join(storage, 'root'), '--runroot', join(storage, 'run')],
  ];
  const options = {
    ...basic,
    globalArguments,
    authFile: registry.authFile,
    certificateDirectory: registry.certDir,
  };
  const engine = await findEngine(options, new AbortController().signal);
  const podman = (...args: readonly string[]): string =>
    execFileSync(options.program, [...globalArguments, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  return {
    registry,
    options,
    engine,
    directory,
    podman,
    traces: () => ({
      images: podman('images', '--all', '--quiet'),
      containers: podman('ps', '--all', '--external', '--quiet'),
      beside: readdirSync(storage),
      temporary: [tmpdir(), '/tmp', '/var/tmp'].flatMap((path) =>
        readdirSync(path).filter((name) => name.includes(`-${process.pid}-`)),
      ),
      mounts: mountsBelow(storage).filter((path) => path.includes('/kmodlayer-', storage.length)),
    }),
    stop: async () => {
      podman('rmi', '--all', '--force');
      for (const path of mountsBelow(storage).reverse()) execFileSync('umount', [path]);
      await registry.stop();
      for (const path of [directory, storage]) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));
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
