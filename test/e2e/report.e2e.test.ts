import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyHtml } from '../../cli/report/html/verify-html.ts';
import type { TargetReport, VerifyReport } from '../../src/verify/report.ts';
import {
  accessibilityProblems,
  accessibleNodes,
  paleTexts,
  startBrowser,
  unfold,
  type OpenedPage,
  type TestBrowser,
} from '../support/browser.ts';
import { runCli } from '../support/cli-process.ts';
import { listDebianKernels } from '../support/kernels.ts';
import { verifyReportOf, withTexts } from '../support/verify-reports.ts';

function htmlOf(report: VerifyReport): string {
  return verifyHtml(report, { toolVersion: '1.2.3', at: new Date('2026-11-20T21:30:15Z'), verb: 'verify' });
}

const REPORT = htmlOf(verifyReportOf());

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 900 };

describe('The report in a browser', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });

  it.each(['light', 'dark'] as const)(
    'needs nothing but its file and complains of nothing, %s',
    async (colorScheme) => {
      const { page, requests, complaints } = await browser.open(REPORT, { colorScheme, viewport: DESK });
      await unfold(page);

      expect(requests).toEqual([page.url()]);
      expect(complaints).toEqual([]);
      // Its styles hold under its own policy.
      expect(await page.evaluate('getComputedStyle(document.body).maxWidth')).toBe('1184px');
    },
  );

  it('is whole without scripts', async () => {
    const { page } = await browser.open(REPORT, { javaScriptEnabled: false, viewport: DESK });
    const summary = page.getByText('2 checks of gnss pass').first();

    await expect(page.getByText('signed by "acme').first().isVisible()).resolves.toBe(false);
    await summary.click();
    await expect(page.getByText('signed by "acme').first().isVisible()).resolves.toBe(true);
  });

  it.each([
    ['light', PHONE],
    ['dark', PHONE],
    ['light', DESK],
    ['dark', DESK],
  ] as const)('gives axe nothing to find: %s, %j', async (colorScheme, viewport) => {
    const { page } = await browser.open(REPORT, { colorScheme, viewport });

    expect(await accessibilityProblems(page)).toEqual([]);
    await unfold(page);
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  it('would be told by axe what is wrong', async () => {
    const { page } = await browser.open(REPORT.replace(' lang="en"', '').replaceAll('<h2', '<h5'));
    const problems = (await accessibilityProblems(page)).map((problem) => problem.split(':')[0]);

    expect(problems.toSorted()).toEqual(['heading-order', 'html-has-lang']);
  });

  it('tells screen readers landmarks, headings and tables by name', async () => {
    const { page } = await browser.open(REPORT, { viewport: DESK });
    await unfold(page);
    const nodes = await accessibleNodes(page);
    const namesOf = (role: string): readonly string[] =>
      nodes.filter((node) => node.role === role).map(({ name }) => name);

    for (const role of ['banner', 'main', 'contentinfo']) expect(namesOf(role)).toHaveLength(1);
    expect(namesOf('region')).toEqual([
      'Targets by kernel',
      '4.18.4 x86_64 passes',
      '4.18.5 x86_64 passes',
      '4.19.0 x86_64 fails',
      'What the checks ask',
    ]);
    expect(nodes.filter(({ role }) => role === 'heading').slice(0, 6)).toEqual([
      { role: 'heading', name: '1 of 3 targets fails', level: 1 },
      { role: 'heading', name: 'Targets by kernel', level: 2 },
      { role: 'heading', name: '4.18.4 x86_64 passes', level: 2 },
      { role: 'heading', name: '2 modules', level: 3 },
      { role: 'heading', name: 'gnss passes', level: 4 },
      { role: 'heading', name: 'ice passes', level: 4 },
    ]);
    expect(namesOf('table')).toEqual(
      expect.arrayContaining([
        'Verdict of each target on its kernel. A dash: the target has another kernel.',
        'Checks of ice that do not simply pass',
        'Symbols of ice that are not what it was built against',
        'Modules of the base that are replaced',
        'Copies that the kernel must refuse',
      ]),
    );
    expect(namesOf('rowheader')).toEqual(
      expect.arrayContaining(['4.19.0 x86_64', 'Symbols fail', 'BTF not checked', 'dropped-path error']),
    );
    expect(namesOf('image')).toEqual(Array.from({ length: 3 }, () => 'Modules that are loaded together'));
  });

  it.each([PHONE, { width: 768, height: 1024 }, DESK])('fits into a window of %j', async (viewport) => {
    const { page } = await browser.open(REPORT, { viewport });
    const width = 'document.documentElement.scrollWidth';

    expect(await page.evaluate(width)).toBe(viewport.width);
    await unfold(page);
    expect(await page.evaluate(width)).toBe(viewport.width);
  });

  it('is used with the keyboard alone', async () => {
    const { page } = await browser.open(REPORT, { viewport: DESK });
    const focused = async (): Promise<string> =>
      String(await page.evaluate('document.activeElement.textContent.trim()'));
    const outline = 'getComputedStyle(document.activeElement).outlineStyle';

    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the report');
    expect(await page.evaluate('document.activeElement.getBoundingClientRect().top >= 0')).toBe(true);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused()).toMatch(/^Verdict of each target/);
    expect(await page.evaluate(outline)).toBe('solid');

    let steps = 0;
    for (; !(await focused()).endsWith('checks of ice pass') && steps < 30; steps += 1)
      await page.keyboard.press('Tab');
    expect(steps).toBeLessThan(30);
    expect(await page.evaluate(outline)).toBe('solid');
    const isOpen = 'document.activeElement.parentElement.open';
    await page.keyboard.press('Enter');
    expect(await page.evaluate(isOpen)).toBe(true);
    await page.keyboard.press('Space');
    expect(await page.evaluate(isOpen)).toBe(false);
  });

  it('leads from the matrix to the target', async () => {
    const { page } = await browser.open(REPORT, { viewport: DESK });

    await page.getByRole('table').first().getByRole('link', { name: 'fails' }).click();

    expect(page.url()).toMatch(/#t3$/);
    expect(
      await page.evaluate('Math.abs(document.getElementById("t3").getBoundingClientRect().top) < 5'),
    ).toBe(true);
  });

  it.each(['light', 'dark'] as const)('has no pale text, %s', async (colorScheme) => {
    const { page } = await browser.open(REPORT, { colorScheme, viewport: DESK });
    await unfold(page);

    expect(await paleTexts(page, 4.5)).toEqual([]);
    expect(await paleTexts(page, 21.1)).not.toEqual([]);
  });
});

describe('The report on modules of one kernel for all kernels of the world', () => {
  const kernels = listDebianKernels().filter(({ release }) => !release.includes('-rt'));
  const built = kernels.find(({ release }) => release === '6.1.0-56-amd64') ?? kernels[0]!;
  let files: readonly string[];
  let scratch: string;
  let replacing: string;
  const targets: TargetReport[] = [];
  let opened: OpenedPage;
  let browser: TestBrowser;
  beforeAll(async () => {
    // A file of the base itself replaces nothing.
    scratch = await mkdtemp(join(tmpdir(), 'kmodlayer-report-'));
    replacing = join(scratch, 'mc.ko');
    await copyFile(join(built.modules, 'drivers/media/mc/mc.ko'), replacing);
    files = [...['kl_base', 'kl_hello'].map((name) => `fixtures/quickstart/modules/${name}.ko`), replacing];
    for (const { release, modules } of kernels) {
      const root = join(modules, '../../../..');
      const { stdout } = await runCli([
        'verify',
        '--base',
        root,
        '--kernel',
        release,
        ...files,
        '-o',
        'json',
      ]);
      targets.push(...(JSON.parse(stdout) as VerifyReport).targets);
    }
    const isProven = targets.every(({ verdict }) => verdict === 'passes');
    browser = await startBrowser();
    opened = await browser.open(htmlOf({ verdict: isProven ? 'passes' : 'fails', targets }), {
      viewport: DESK,
    });
    await unfold(opened.page);
  });
  afterAll(async () => {
    await browser.close();
    await rm(scratch, { recursive: true });
  });

  it('passes only for the kernel that they were built for, and those with the same interfaces', () => {
    expect(targets).toHaveLength(kernels.length);
    expect(targets.find(({ kernel }) => kernel === built.release)?.verdict).toBe('passes');
    expect(targets.at(-1)).toMatchObject({ verdict: 'fails' });
  });

  it('has the verdict of each in the matrix', async () => {
    const rows = await opened.page.evaluate<
      string[][]
    >(`[...document.querySelectorAll('.matrix tbody tr')].map((row) =>
      [...row.cells].map((cell) => cell.querySelector('.mark')?.innerText.trim() ?? cell.innerText.trim()))`);

    expect(rows.map(([, ...cells]) => cells)).toEqual(
      targets.map(({ verdict }, index) => kernels.map((_, column) => (column === index ? verdict : '–'))),
    );
  });

  it('shows CRCs as modprobe reads them from the module, and as the kernel has them', async () => {
    const rows = await opened.page.evaluate<string[][]>(`[...document.querySelectorAll('section.level-2')]
      .filter((one) => one.querySelector('.facts')?.innerText.includes(${JSON.stringify(kernels.at(-1)!.release)}))
      .flatMap((one) => [...one.querySelectorAll('.scroll .symbols tbody tr')])
      .map((row) => [...row.cells].map((cell) => cell.innerText.trim()))`);
    const builtAgainst = new Map(
      files.flatMap((file) =>
        execFileSync('/usr/sbin/modprobe', ['--dump-modversions', resolve(file)], { encoding: 'utf8' })
          .trim()
          .split('\n')
          .map((line) => line.split('\t').reverse() as [string, string]),
      ),
    );
    const here = new Map(
      readFileSync(kernels.at(-1)!.symvers, 'utf8')
        .split('\n')
        .map((line) => [line.split('\t')[1] ?? '', line.split('\t')[0] ?? '']),
    );
    const changed = rows.filter(([, state]) => state === 'version changed');

    expect(changed.length).toBeGreaterThan(5);
    for (const [symbol = '', , found, wanted] of changed) {
      expect([symbol, found, wanted]).toEqual([symbol, builtAgainst.get(symbol), here.get(symbol)]);
      expect(found).not.toBe(wanted);
    }
    for (const [symbol = ''] of rows.filter(([, state]) => state === 'missing'))
      expect(here.has(symbol)).toBe(false);
  });

  it('draws what is replaced and names all that depends on it', async () => {
    const { dependants } = targets.find(({ kernel }) => kernel === built.release)!.overrides[0]!;
    const dep = readFileSync(join(built.modules, '../modules.dep'), 'utf8').split('\n');
    const users = dep.filter((line) =>
      line.split(': ')[1]?.split(' ').includes('kernel/drivers/media/mc/mc.ko'),
    );

    expect(dependants.map(({ path }) => path).sort()).toEqual(
      users.map((line) => line.split(':')[0]!).sort(),
    );
    expect(await opened.page.locator('.graph').count()).toBe(kernels.length);
    const fold = opened.page.getByText(`${users.length} modules of the base find all of it`);
    expect(await fold.count()).toBeGreaterThan(0);
  });

  it('gives axe nothing to find, and fits into a window', async () => {
    expect(await accessibilityProblems(opened.page)).toEqual([]);
    expect(opened.complaints).toEqual([]);
    await opened.page.setViewportSize(PHONE);
    expect(await opened.page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width);
  });
});

describe('A hostile report in a browser', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });

  it.each([
    '<script>alert(1)</script><img src=x onerror=alert(1)>',
    '"><svg onload=alert(1)><style>*{display:none}</style>',
    "' autofocus onfocus='alert(1)",
    '</pre></details></table></title></style><base href=//example.com><h1>All pass</h1>',
    '\u202e\0\u001b[2J<iframe src=javascript:alert(1)>&#60;script&#62;',
  ])('shows %j as text', async (attack) => {
    const benign = await browser.open(htmlOf(withTexts(verifyReportOf(), (text) => `${text}x`)));
    const hostile = await browser.open(htmlOf(withTexts(verifyReportOf(), (text) => `${text}${attack}`)));
    const elements = `[...document.querySelectorAll('*')].map((one) =>
      one.localName + ' ' + one.getAttributeNames().join(' '))`;
    await unfold(hostile.page);
    await unfold(benign.page);

    expect(hostile.complaints).toEqual([]);
    expect(hostile.requests).toHaveLength(1);
    expect(await hostile.page.evaluate(elements)).toEqual(await benign.page.evaluate(elements));
    expect(await hostile.page.evaluate('document.body.innerText')).toContain(
      attack
        .replaceAll(/\u001b\[2J/g, '')
        .replaceAll(/[\0\u202e]/g, '\ufffd')
        .slice(0, 12),
    );
  });

  it('is held by its policy even where markup got through', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const html = REPORT.replace(
      '<main',
      `<script>alert(1)</script><script src="http://127.0.0.1:${port}/a.js"></script>
      <img src="http://127.0.0.1:${port}/a.png"><link rel="stylesheet" href="http://127.0.0.1:${port}/a.css">
      <iframe src="http://127.0.0.1:${port}/a.html"></iframe><p style="color: rgb(1, 2, 3)">x</p><main`,
    );
    const colour = 'getComputedStyle(document.querySelector("p[style]")).color';

    const { page, complaints } = await browser.open(html);
    expect(asked).toEqual([]);
    expect(complaints.length).toBeGreaterThanOrEqual(6);
    for (const complaint of complaints) expect(complaint).toContain('Content Security Policy');
    expect(await page.evaluate(colour)).not.toBe('rgb(1, 2, 3)');

    const unheld = await browser.open(html.replace(/<meta http-equiv[^>]*>/, ''));
    expect(asked.toSorted()).toEqual(['/a.css', '/a.html', '/a.js', '/a.png']);
    expect(await unheld.page.evaluate(colour)).toBe('rgb(1, 2, 3)');
    server.close();
    server.closeAllConnections();
  });
});

describe('The report on paper', () => {
  let text = '';
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kmodlayer-paper-'));
    const browser = await startBrowser();
    const { page } = await browser.open(REPORT, { colorScheme: 'dark' });
    const file = join(directory, 'report.pdf');
    await writeFile(file, await page.pdf({ format: 'A4' }));
    await browser.close();
    text = execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' });
  });
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('has the verdict and the matrix on its first page', () => {
    const [first = ''] = text.split('\f');

    expect(first).toMatch(/1 of 3 targets fails/);
    expect(first).toMatch(/Target\s+6\.1\.0-56-amd64\s+6\.12\.94\+deb12-amd64/);
    expect(first).toMatch(/4\.18\.4\s+passes/);
    expect(first).toMatch(/4\.19\.0\s+–\s+fails/);
  });

  it('starts each target on a page of its own', () => {
    const starts = text.split('\f').map((page) => page.trimStart().split('\n')[0]);

    expect(starts.filter((line) => /^4\.1\d\.\d x86_64\s+(?:passes|fails)$/.test(line ?? ''))).toHaveLength(
      3,
    );
  });

  it('unfolds what was folded, but not what is long', () => {
    expect(text).toMatch(/Signature\s+signed by "acme/);
    expect(text).toContain('Kernel is locked down from EFI Secure Boot');
    expect(text).toContain('symvers.gz');
    expect(text).toMatch(/symbols of ice are what it was built against/);
    expect(text).not.toContain('kmalloc_fixture_0');
    expect(text).not.toContain('BdsDxe');
  });

  it('shows every symbol that changed, and what to do', () => {
    expect(text).toMatch(/ethtool_op_get_ts_info +version changed\s+0x5ad1b7f2\s+0x1e4c00d9\s+vmlinux/);
    expect(text).toContain('What to do: Build the driver with the driver-toolkit of this release.');
  });
});
