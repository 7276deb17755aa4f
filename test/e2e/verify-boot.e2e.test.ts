import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerifyReport } from '../../src/verify/report.ts';
import { accessibilityProblems, accessibleNodes, startBrowser, unfold } from '../support/browser.ts';
import { type CliResult, runCli } from '../support/cli-process.ts';
import { buildHelloImages, type HelloImages } from '../support/hello-images.ts';

const run = promisify(execFile);
const VERSION = '4.18.4';

let images: HelloImages;

beforeAll(async () => {
  images = await buildHelloImages([{ version: VERSION, stream: 'rhel-9' }]);
});

afterAll(async () => {
  await images.remove();
});

describe('kmodlayer verify --boot', () => {
  it('boots an image for a user who is not root, from a place where they may only read', async () => {
    const { main, home } = await installForNobody();

    const { exitCode, stdout, stderr } = await runAsNobody(
      [
        main,
        'verify',
        images.imageOf(VERSION),
        '--cert',
        images.certificateFile,
        '--secure-boot',
        '-o',
        'json',
        '--report',
        join(home, 'proof.html'),
      ],
      home,
    );

    expect(exitCode, stderr).toBe(0);
    const { targets } = JSON.parse(stdout) as VerifyReport;
    expect(targets).toMatchObject([
      {
        verdict: 'passes',
        modules: [{ name: 'kl_base' }, { name: 'kl_hello' }],
        boot: {
          verdict: 'passes',
          secureBoot: true,
          modules: [{ outcome: 'loaded' }, { outcome: 'loaded' }],
        },
      },
    ]);
    expect(targets[0]?.statement).toMatch(
      /^passes every static check of load_module; kernel .* refused 6 copies/,
    );
    expect(await readdir(join(home, 'tmp'))).toEqual([]);
    await readInBrowser(await readFile(join(home, 'proof.html'), 'utf8'));
  });

  it('ends with 1 when the kernel refuses what it should load', async () => {
    const { exitCode, stdout } = await runCli(
      [
        'verify',
        images.imageOf(VERSION),
        '--cert',
        join(images.scratch, 'other.pem'),
        '--secure-boot',
        '--enrol',
        'mok',
      ],
      { env: { XDG_CACHE_HOME: join(images.scratch, 'cache') } },
    );

    expect(exitCode).toBe(1);
    expect(stdout).toContain('Loading of module with unavailable key is rejected');
    expect(stdout).toMatch(/^ {4}tainted 0$/m);
  });

  it.each(['image', 'directory'] as const)(
    'boots the kernel of a base (%s) with modules that it does not have',
    async (base) => {
      const { bytes } = await images.moduleOf(VERSION, 'kl_base');
      const file = join(images.scratch, 'kl_base.ko');
      await writeFile(file, bytes);
      const where =
        base === 'image'
          ? ['--base', images.imageOf(VERSION)]
          : ['--base', await images.rootOf(VERSION), '--kernel', images.kernelOf(VERSION)];

      const { exitCode, stdout, stderr } = await runCli(['verify', file, ...where, '--boot', '-o', 'json'], {
        env: { XDG_CACHE_HOME: join(images.scratch, 'cache') },
      });

      expect(exitCode, `${stderr}${stdout}`).toBe(0);
      expect((JSON.parse(stdout) as VerifyReport).targets[0]?.boot).toMatchObject({
        verdict: 'passes',
        modules: [{ name: 'kl_base', outcome: 'loaded' }],
      });
    },
  );

  it('ends with 2 and says how to get an emulator that is missing', async () => {
    const { exitCode, stdout, stderr } = await runCli(['verify', images.imageOf(VERSION), '--boot'], {
      env: { XDG_CACHE_HOME: join(images.scratch, 'cache'), KMODLAYER_QEMU: 'qemu-that-is-not-there' },
    });

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/qemu-that-is-not-there is not there\n.*Fedora.*RHEL.*Debian/);
  });

  it('ends with 2 and says how to get firmware that is missing', async () => {
    const { exitCode, stderr } = await runCli(['verify', images.imageOf(VERSION), '--secure-boot'], {
      env: { XDG_CACHE_HOME: join(images.scratch, 'cache'), KMODLAYER_OVMF_CODE: '/nowhere/OVMF_CODE.fd' },
    });

    expect(exitCode).toBe(2);
    expect(stderr).toContain('/nowhere/OVMF_CODE.fd');
  });
});

/** The report of that boot, as people and screen readers get it. */
async function readInBrowser(html: string): Promise<void> {
  const browser = await startBrowser();
  try {
    const { page, requests, complaints } = await browser.open(html);
    await unfold(page);

    expect({ requests, complaints }).toEqual({ requests: [page.url()], complaints: [] });
    expect(await accessibilityProblems(page)).toEqual([]);
    const nodes = await accessibleNodes(page);
    expect(nodes).toContainEqual({ role: 'heading', name: 'Boot passes', level: 3 });
    const rowsOf = async (table: string): Promise<readonly string[]> =>
      page.getByRole('table', { name: table }).locator('tbody tr').allInnerTexts();
    const loaded = await rowsOf('What the booted kernel did with each module');
    expect(loaded.map((row) => row.split(/\s+/, 2).join(' '))).toEqual(['kl_base loaded', 'kl_hello loaded']);
    const copies = await rowsOf('Copies that the kernel must refuse');
    expect(copies).toHaveLength(6);
    for (const row of copies) expect(row).toMatch(/refused[\s\S]*Key was rejected by service/);
    await expect(
      page.getByText('Kernel is locked down from EFI Secure Boot').first().isVisible(),
    ).resolves.toBe(true);
  } finally {
    await browser.close();
  }
}

/** A copy of the built command, and a home, that nobody may read: a checkout may lie where only root can. */
async function installForNobody(): Promise<{ readonly main: string; readonly home: string }> {
  const installed = join(images.scratch, 'installed');
  const home = join(images.scratch, 'home');
  await cp('dist', join(installed, 'dist'), { recursive: true });
  await cp('package.json', join(installed, 'package.json'));
  for (const name of ['zx', '@bokuweb/zstd-wasm'])
    await cp(join('node_modules', name), join(installed, 'node_modules', name), {
      recursive: true,
      dereference: true,
    });
  await mkdir(join(home, 'tmp'), { recursive: true });
  await run('chown', ['-R', '65534:65534', home]);
  await run('chmod', ['-R', 'a+rX', join(images.scratch, 'images'), images.certificateFile, installed]);
  return { main: join(installed, 'dist/cli/main.js'), home };
}

async function runAsNobody(args: readonly string[], home: string): Promise<CliResult> {
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    TMPDIR: join(home, 'tmp'),
    XDG_CACHE_HOME: join(home, 'cache'),
  };
  const options = { uid: 65534, gid: 65534, cwd: '/', env, maxBuffer: 64 * 1024 ** 2 };
  try {
    return { exitCode: 0, signal: null, ...(await run(process.execPath, args, options)) };
  } catch (error) {
    return { exitCode: null, signal: null, stdout: '', ...(error as object), stderr: String(error) };
  }
}
