import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A real registry, Debian's `docker-registry`, on a free port with its data in a temporary directory. */
export interface DebianRegistry {
  readonly host: string;
  /** PEM file of the CA, when it has TLS. */
  readonly caFile: string | undefined;
  /** Credentials file for it, when it wants one. */
  readonly authFile: string | undefined;
  /** Where it keeps what was pushed. */
  readonly storage: string;
  /** Kills it as a power cut would, and starts it again on the same port with what it had stored. */
  readonly restart: () => Promise<void>;
  /** Kills it as a power cut would; `restart` starts it again. */
  readonly kill: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts a registry; `isSecured` gives it TLS with a CA of its own and one user with a password. */
export async function startDebianRegistry(options: { readonly isSecured: boolean }): Promise<DebianRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'));
  const port = await freePort();
  const host = `localhost:${port}`;
  const lines = [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${directory}/data }, delete: { enabled: true } }`,
    'http:',
    `  addr: 127.0.0.1:${port}`,
  ];
  if (options.isSecured) {
    makeCertificate(directory);
    const users = execFileSync('htpasswd', ['-niB', 'tester'], { input: 'secret:with:colons\n' });
    await writeFile(join(directory, 'htpasswd'), users);
    lines.push(
      `  tls: { certificate: ${directory}/tls.crt, key: ${directory}/tls.key }`,
      `auth: { htpasswd: { realm: test, path: ${directory}/htpasswd } }`,
    );
  }
  const auth = Buffer.from('tester:secret:with:colons').toString('base64');
  await writeFile(join(directory, 'auth.json'), JSON.stringify({ auths: { [host]: { auth } } }));
  await writeFile(join(directory, 'config.yml'), `${lines.join('\n')}\n`);
  const start = (): ChildProcess =>
    spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
      stdio: 'ignore',
      env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
    });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  let child = start();
  await untilOpen(port);
  return {
    host,
    caFile: options.isSecured ? join(directory, 'ca.crt') : undefined,
    authFile: options.isSecured ? join(directory, 'auth.json') : undefined,
    storage: join(directory, 'data'),
    restart: async () => {
      await end('SIGKILL');
      child = start();
      await untilOpen(port);
    },
    kill: () => end('SIGKILL'),
    close: async () => {
      await end('SIGTERM');
      await rm(directory, { recursive: true });
    },
  };
}

function makeCertificate(directory: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
  );
  openssl('req', ...key, '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=localhost');
  const extensions = join(directory, 'tls.ext');
  execFileSync('sh', [
    '-c',
    'echo subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1 > "$0"',
    extensions,
  ]);
  const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', 'tls.csr', ...signing, '-extfile', 'tls.ext', '-out', 'tls.crt');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

async function untilOpen(port: number): Promise<void> {
  const { connect } = await import('node:net');
  for (let tries = 0; tries < 200; tries++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => {
        resolve(false);
      });
    });
    if (isOpen) return;
    await sleep(50);
  }
  throw new Error('docker-registry did not start: is the package installed?');
}
