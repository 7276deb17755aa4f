import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Counter } from './measure.ts';

/** A registry that is a host of its own, so that what it sends and gets can be counted. */
export interface RegistryHost {
  /** For instance `10.77.1.2:5000`; plain HTTP. */
  readonly host: string;
  readonly counter: Counter;
  /** Starts the registry process anew, which empties its cache of what is there. */
  readonly restart: () => Promise<void>;
  readonly stop: () => void;
}

/**
 * Starts Debian's docker-registry in a network namespace, behind a pair of virtual interfaces that count its bytes.
 *
 * @param network Third part of the address, 1 to 254: each registry has its own network.
 */
export async function startRegistryHost(directory: string, network: number): Promise<RegistryHost> {
  const name = `kmodlayer-bench-${network}`;
  const link = `kmlb${network}`;
  const host = `10.77.${network}.2:5000`;
  const stop = (): void => {
    registry?.kill('SIGKILL');
    spawnSync('ip', ['netns', 'delete', name]);
    spawnSync('ip', ['link', 'delete', link]);
  };
  let registry: ChildProcess | undefined;
  stop();
  for (const args of [
    ['netns', 'add', name],
    ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name],
    ['addr', 'add', `10.77.${network}.1/24`, 'dev', link],
    ['link', 'set', link, 'up'],
    ['-n', name, 'addr', 'add', `10.77.${network}.2/24`, 'dev', 'eth0'],
    ['-n', name, 'link', 'set', 'eth0', 'up'],
    ['-n', name, 'link', 'set', 'lo', 'up'],
  ]) {
    const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
  }
  mkdirSync(directory, { recursive: true });
  const config = join(directory, 'config.yml');
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: join(directory, 'storage') },
        cache: { blobdescriptor: 'inmemory' },
      },
      http: { addr: ':5000' },
    }),
  );
  const restart = async (): Promise<void> => {
    registry?.kill('SIGKILL');
    registry = spawn('ip', ['netns', 'exec', name, 'docker-registry', 'serve', config], { stdio: 'ignore' });
    for (let attempt = 0; attempt < 100; attempt++) {
      const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
      if (answer?.ok === true) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`docker-registry does not answer at ${host}`);
  };
  process.once('exit', stop);
  await restart();
  const bytes = (direction: 'rx' | 'tx'): number =>
    Number(readFileSync(`/sys/class/net/${link}/statistics/${direction}_bytes`, 'utf8'));
  return { host, restart, stop, counter: () => ({ fromBytes: bytes('rx'), toBytes: bytes('tx') }) };
}
