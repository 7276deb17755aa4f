import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { judgeWithDepmod } from '../support/merged-root.ts';
import { QUICKSTART_KERNEL as KERNEL, unpackQuickstart } from '../support/quickstart-root.ts';

const run = promisify(execFile);
const MAIN = resolve('dist/cli/main.js');
const MODULES = resolve('fixtures/quickstart/modules');

let scratch = '';

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-cli-'));
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

function ended(child: ChildProcess): Promise<{ exitCode: number | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
  return new Promise((done) => {
    child.on('exit', (exitCode) => {
      done({ exitCode, stderr });
    });
  });
}

describe('The program', () => {
  it('prints its version and takes a closed pipe for the end', async () => {
    const { stdout } = await run('bash', [
      '-c',
      `set -o pipefail; node ${MAIN} --version && node ${MAIN} completion bash | head -1`,
    ]);

    expect(stdout.split('\n')[0]).toMatch(/^\d+\.\d+\.\d+$/);
    expect(stdout.split('\n')[1]).toMatch(/^# bash completion/);
  });

  it('prints a result as text, as JSON and as YAML with the same values', async () => {
    const inspect = async (format: string): Promise<string> => {
      const { stdout } = await run('node', [MAIN, 'inspect', join(MODULES, 'kl_base.ko'), '-o', format]);
      return stdout;
    };

    const json = JSON.parse(await inspect('json')) as unknown;
    expect(json).toMatchObject({ schema: 'kmodlayer/inspect/v1', module: { name: 'kl_base' } });
    expect(parse(await inspect('yaml'))).toEqual(json);
    expect(await inspect('table')).toContain('kl_base');
  });

  it.each(['SIGINT', 'SIGHUP'] as const)(
    'stops on %s with 130 and leaves no temporary files',
    async (signal) => {
      const server = createServer(() => undefined).listen(0, '127.0.0.1');
      await new Promise((listening) => server.once('listening', listening));
      const { port } = server.address() as AddressInfo;
      const temporary = join(scratch, signal);
      await mkdir(temporary);
      const arrived = new Promise((request) => server.once('request', request));
      const release = `127.0.0.1:${port}/acme/release:4.18.4`;
      const child = spawn('node', [MAIN, 'resolve', release, '--insecure-registry', `127.0.0.1:${port}`], {
        env: { ...process.env, TMPDIR: temporary, HOME: scratch },
      });
      const end = ended(child);
      await arrived;

      child.kill(signal);

      const { exitCode, stderr } = await end;
      server.closeAllConnections();
      server.close();
      expect(stderr).toContain('Stopping and cleaning up.');
      expect(exitCode).toBe(130);
      expect(await readdir(temporary)).toEqual([]);
    },
  );
});

describe('kmodlayer completion bash', () => {
  it('completes verbs, flags and values in bash', async () => {
    const script = join(scratch, 'completion.bash');
    await writeFile(script, (await run('node', [MAIN, 'completion', 'bash'])).stdout);
    const complete = async (...words: readonly string[]): Promise<string> => {
      const list = ['kmodlayer', ...words].map((word) => `'${word}'`).join(' ');
      const { stdout } = await run('bash', [
        '-c',
        `source ${script}; COMP_WORDS=(${list}); COMP_CWORD=${words.length}; _kmodlayer; echo "\${COMPREPLY[@]}"`,
      ]);
      return stdout.trim();
    };

    expect(await complete('res')).toBe('resolve');
    expect(await complete('machine-config', 'os')).toBe('os-image');
    expect(await complete('resolve', '4.18.4', '--out')).toBe('--output');
    expect(await complete('resolve', '-o', 'j')).toBe('json');
    expect(await complete('completion', 'z')).toBe('zsh');
  });
});

describe('kmodlayer depmod', () => {
  it('writes what depmod -a would write, byte for byte', async () => {
    const root = join(scratch, 'root');
    const below = join(root, 'usr/lib/modules', KERNEL);
    await unpackQuickstart(root, (path) => /^usr\/lib\/(?:modules|depmod\.d)\//.test(path));
    await symlink('usr/lib', join(root, 'lib'));
    await mkdir(join(below, 'extra/hello'), { recursive: true });

    const added = ['kl_base.ko', 'kl_hello.ko'].map((name) => `${join(MODULES, name)}:extra/hello/${name}`);
    const { stdout } = await run('node', [
      ...[MAIN, 'depmod', '--base', root, '--kernel', KERNEL, '--out', below, '-o', 'json'],
      ...added.flatMap((module) => ['--add', module]),
    ]);
    await cp(MODULES, join(below, 'extra/hello'), { recursive: true });
    const verdict = await judgeWithDepmod(root, KERNEL);

    expect(JSON.parse(stdout)).toMatchObject({ schema: 'kmodlayer/depmod/v1' });
    expect(verdict.changed).toEqual([]);
    expect(verdict.compared).toContain('modules.dep.bin');
  });
});
