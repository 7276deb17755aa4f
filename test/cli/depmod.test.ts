import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli, type CliRun } from '../support/cli.ts';
import { QUICKSTART_KERNEL as KERNEL, unpackQuickstart } from '../support/quickstart-root.ts';

const MODULES = resolve('fixtures/quickstart/modules');
const ADD = [
  ...['--add', `${join(MODULES, 'kl_base.ko')}:extra/hello/kl_base.ko`],
  ...['--add', `${join(MODULES, 'kl_hello.ko')}:extra/hello/kl_hello.ko`],
];

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  await unpackQuickstart(join(directory, 'root'), (path) =>
    /^usr\/lib\/modules\/[^/]+\/modules\./.test(path),
  );
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function depmod(...argv: readonly string[]): Promise<CliRun> {
  return runCli(['depmod', '--kernel', KERNEL, ...argv], { cwd: directory });
}

describe('kmodlayer depmod', () => {
  it('writes only the indexes that change', async () => {
    const { exitCode, stdout, stderr } = await depmod('--base', 'root', ...ADD, '--out', 'out');

    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^modules\.dep +/m);
    const written = await readdir(join(directory, 'out'));
    expect(written).toContain('modules.dep.bin');
    expect(written).not.toContain('modules.builtin');
    expect(await readFile(join(directory, 'out/modules.dep'), 'utf8')).toContain(
      'extra/hello/kl_hello.ko: extra/hello/kl_base.ko\n',
    );
  });

  it('takes the directory of the kernel itself', async () => {
    const { stdout } = await depmod(
      '--base',
      `root/usr/lib/modules/${KERNEL}`,
      ...ADD,
      '--out',
      'out',
      '-o',
      'json',
    );

    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'kmodlayer/depmod/v1',
      kernel: KERNEL,
      overridden: [],
    });
  });

  it.each([
    [['--base', 'nowhere', ...ADD], 2, 'it has no modules.dep'],
    [['--base', 'root', '--add', 'a.txt'], 2, 'Cannot add "a.txt"'],
    [['--base', 'root', '--add', `${join(MODULES, 'kl_base.ko')}:../kl_base.ko`], 2, 'Cannot add'],
    [['--base', 'root', '--add', 'nowhere.ko'], 2, 'there is no such file'],
    [['--base', 'root'], 2, 'Cannot merge nothing'],
    [['--base', 'root', '--full', '--config', 'nowhere'], 2, 'Cannot read nowhere: there is no such file'],
    [['--base', 'nowhere', '--full'], 2, 'it has no lib/modules/'],
    [['--base', 'quay.io/a/b:c', '--full'], 2, 'it is an image'],
    [['--base', 'oci:nowhere:tag', ...ADD], 8, 'nowhere'],
  ])('ends %j with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await depmod(...argv, '--out', 'out');

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });

  it('computes all indexes of a directory from its modules', async () => {
    const modules = join(directory, 'tree/lib/modules', KERNEL);
    await mkdir(join(modules, 'extra'), { recursive: true });
    for (const name of ['kl_base.ko', 'kl_hello.ko'])
      await copyFile(join(MODULES, name), join(modules, 'extra', name));

    const { exitCode, stderr } = await depmod('--full', '--base', 'tree', '--out', 'out');

    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(await readFile(join(directory, 'out/modules.dep'), 'utf8')).toContain(
      'extra/kl_hello.ko: extra/kl_base.ko\n',
    );
    expect((await readdir(join(directory, 'out'))).length).toBe(10);
  });

  it('takes depmod.d from where it is told', async () => {
    await writeFile(join(directory, 'my.cfg'), 'search updates extra built-in\nexclude hello\n');

    const { stdout } = await depmod('--base', 'root', ...ADD, '-C', 'my.cfg', '--out', 'out');

    expect(stdout).toContain('extra/hello/kl_base.ko has no effect: depmod.d excludes it');
  });

  it('refuses links that lead in a circle', async () => {
    const modules = join(directory, 'tree/lib/modules', KERNEL);
    await mkdir(modules, { recursive: true });
    await symlink('.', join(modules, 'host'));

    const { exitCode, stderr } = await depmod('--full', '--base', 'tree', '--out', 'out');

    expect(exitCode).toBe(6);
    expect(stderr).toContain('its links lead in a circle');
  });

  it('refuses modules for another kernel', async () => {
    const argv = ['depmod', '--kernel', '5.14.0-1.el9', '--base', `root/usr/lib/modules/${KERNEL}`, ...ADD];

    const { exitCode, stderr } = await runCli([...argv, '--out', 'out'], { cwd: directory });

    expect(exitCode).toBe(6);
    expect(stderr).toContain(`it was built for kernel ${KERNEL}, not for 5.14.0-1.el9`);
  });
});
