import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FindOptions, findEngine, readEngineOptions } from '../../src/engine/find-engine.ts';
import { makeCredentials } from '../../src/registry/credentials.ts';
import { makeImages } from '../../src/registry/images.ts';
import type { EngineSubject } from '../contract/engine.ts';
import type { WorldRegistry } from './world.ts';

const NEVER = new AbortController().signal;

/** podman or buildah with a storage of its own. */
export async function startProgram(
  program: 'podman' | 'buildah',
  registry: WorldRegistry,
): Promise<EngineSubject> {
  const storage = mkdtempSync('/var/tmp/kmodlayer-e2e-');
  const roots = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')];
  const options: FindOptions = {
    ...readEngineOptions(process.env),
    program,
    globalArguments: roots,
    certificateDirectory: registry.certDir,
  };
  const podman = (...args: readonly string[]): string =>
    execFileSync('podman', [...roots, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return {
    engine: await findEngine({ ...options, authFile: registry.authFile }, NEVER),
    stranger: await findEngine({ ...options, authFile: noCredentials(storage) }, NEVER),
    storage: join(storage, 'root'),
    stopsSteps: true,
    traces: () => ({
      images: podman('images', '--all', '--quiet'),
      containers: podman('ps', '--all', '--external', '--quiet'),
      beside: readdirSync(storage),
      ...tracesOfProcess(),
    }),
    close: () => {
      podman('rmi', '--all', '--force');
      removeTree(storage);
      return Promise.resolve();
    },
  };
}

/** Docker's daemon. It takes the world's registry for one of this machine, whose certificate it does not ask for. */
export async function startDocker(registry: WorldRegistry): Promise<EngineSubject> {
  const directory = mkdtempSync('/var/tmp/kmodlayer-e2e-');
  const socket = join(directory, 'docker.sock');
  const at = (name: string): string => join(directory, name);
  const daemon = start(
    'dockerd',
    [
      ...['--iptables=false', '--bridge=none', '--data-root', at('data'), '--exec-root', at('exec')],
      ...['--pidfile', at('pid'), '-H', `unix://${socket}`],
    ],
    directory,
  );
  await untilAnswers(socket, daemon);
  const options: FindOptions = { ...readEngineOptions(process.env), program: `unix://${socket}` };
  return {
    engine: await findEngine(
      { ...options, credentials: makeCredentials({ authFile: registry.authFile, env: {} }) },
      NEVER,
    ),
    stranger: await findEngine(options, NEVER),
    storage: at('data'),
    stopsSteps: true,
    traces: () => ({ ...tracesOfApi(socket), ...tracesOfProcess() }),
    close: async () => {
      await stop(daemon);
      removeTree(directory);
    },
  };
}

/** podman's API. It knows nothing of the world's certificates, so images are read here and handed over. */
export async function startPodmanApi(registry: WorldRegistry): Promise<EngineSubject> {
  const directory = mkdtempSync('/var/tmp/kmodlayer-e2e-');
  const socket = join(directory, 'podman.sock');
  const roots = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run')];
  const daemon = start('podman', [...roots, 'system', 'service', '--time=0', `unix://${socket}`], directory);
  await untilAnswers(socket, daemon);
  const options: FindOptions = {
    ...readEngineOptions(process.env),
    program: socket,
    certificateDirectory: registry.certDir,
  };
  const imagesWith = (authFile: string) => makeImages({ authFile, certDirs: [registry.certDir] });
  return {
    engine: await findEngine({ ...options, images: imagesWith(registry.authFile) }, NEVER),
    stranger: await findEngine({ ...options, images: imagesWith(noCredentials(directory)) }, NEVER),
    storage: join(directory, 'root'),
    stopsSteps: false,
    // What podman itself forgets in its directory for temporary files when a build is given up is not ours to find.
    traces: () => ({ ...tracesOfApi(socket), beside: readdirSync(directory), ...tracesOfProcess(/^$/) }),
    close: async () => {
      await stop(daemon);
      execFileSync('podman', [...roots, 'rmi', '--all', '--force'], { stdio: 'ignore' });
      removeTree(directory);
    },
  };
}

function start(program: string, args: readonly string[], directory: string): ChildProcess {
  const log = openSync(join(directory, 'log'), 'w');
  const child = spawn(program, args, { stdio: ['ignore', log, log] });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
}

async function untilAnswers(socket: string, daemon: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (daemon.exitCode !== null) throw new Error(`The daemon ended: ${String(daemon.exitCode)}`);
    try {
      ask(socket, '/_ping');
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error('The daemon does not answer');
}

/** Asked with a program that is not ours. */
function ask(socket: string, path: string): string {
  return execFileSync('curl', ['--silent', '--fail', '--unix-socket', socket, `http://engine${path}`], {
    encoding: 'utf8',
  });
}

function tracesOfApi(socket: string): Readonly<Record<string, unknown>> {
  const list = (path: string): readonly string[] =>
    ((JSON.parse(ask(socket, path)) as { Id: string }[] | null) ?? []).map(({ Id }) => Id).sort();
  const usage = JSON.parse(ask(socket, '/system/df')) as { BuildCache?: { ID: string }[] | null };
  return {
    images: list('/images/json?all=true'),
    containers: list('/containers/json?all=true'),
    cache: (usage.BuildCache ?? []).map(({ ID }) => ID),
  };
}

function tracesOfProcess(ofEngine = /^(?:buildah|podman|libpod)/): Readonly<Record<string, unknown>> {
  return {
    temporary: [tmpdir(), '/tmp', '/var/tmp'].flatMap((path) =>
      readdirSync(path).filter((name) => name.includes(`-${process.pid}-`) || ofEngine.test(name)),
    ),
  };
}

function noCredentials(directory: string): string {
  const file = join(directory, 'no-auth.json');
  writeFileSync(file, '{"auths":{}}');
  return file;
}

function removeTree(directory: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));
  for (const mount of mounts.reverse()) execFileSync('umount', [mount]);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
