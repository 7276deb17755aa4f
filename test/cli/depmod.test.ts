import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openImage } from '../../src/oci/open-image.ts';
import { readLayerFiles } from '../../src/oci/layer-files.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { resolve as resolveRelease } from '../../src/resolve/resolve.ts';
import { runCli, type CliRun } from '../support/cli.ts';
import { makeTestIo } from '../support/io.ts';

const KERNEL = '6.1.0-56-amd64';
const MODULES = resolve('fixtures/quickstart/modules');
const ADD = [
  ...['--add', `${join(MODULES, 'kl_base.ko')}:extra/hello/kl_base.ko`],
  ...['--add', `${join(MODULES, 'kl_hello.ko')}:extra/hello/kl_hello.ko`],
];

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
  const modules = join(directory, 'root/lib/modules', KERNEL);
  await mkdir(modules, { recursive: true });
  for (const [path, bytes] of await indexesOfQuickstart())
    await writeFile(join(modules, basename(path)), bytes);
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** The `modules.*` files of the OS image in the fixtures. */
async function indexesOfQuickstart(): Promise<ReadonlyMap<string, Buffer>> {
  const io = makeTestIo();
  const [target] = await resolveRelease({ release: 'oci:fixtures/quickstart/release:4.18.4' }, io);
  const repository = await io.images.open(parseReference('oci:fixtures/quickstart/release'), 'read');
  const image = await openImage(repository, target!.osImage.digest, 'x86_64');
  const found = new Map<string, Buffer>();
  for (const layer of image.manifest.layers) {
    const { files } = await readLayerFiles(() => repository.readBlob(layer), {
      maxBytes: 1e9,
      wants: (path) => path.startsWith(`usr/lib/modules/${KERNEL}/modules.`),
    });
    for (const [path, bytes] of files) found.set(path, bytes);
  }
  return found;
}

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
      `root/lib/modules/${KERNEL}`,
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
    [['--base', 'root'], 2, "required option '--add <file[:path]>' not specified"],
  ])('ends %j with %i', async (argv, expected, message) => {
    const { exitCode, stderr } = await depmod(...argv, '--out', 'out');

    expect(stderr).toContain(message);
    expect(exitCode).toBe(expected);
  });

  it('refuses modules for another kernel', async () => {
    const argv = ['depmod', '--kernel', '5.14.0-1.el9', '--base', `root/lib/modules/${KERNEL}`, ...ADD];

    const { exitCode, stderr } = await runCli([...argv, '--out', 'out'], { cwd: directory });

    expect(exitCode).toBe(6);
    expect(stderr).toContain(`it was built for kernel ${KERNEL}, not for 5.14.0-1.el9`);
  });
});
