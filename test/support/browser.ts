import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Debian's. */
const CHROMIUM = '/usr/bin/chromium';

/** A page in a browser, and what it did beside showing itself. */
export interface OpenedPage {
  readonly page: Page;
  /** Everything that it asked for, its own file included. */
  readonly requests: readonly string[];
  /** Lines on its console, errors of scripts, and dialogs. */
  readonly complaints: readonly string[];
}

export interface TestBrowser {
  /** Opens HTML as people do who were sent a file. */
  open(html: string, options?: BrowserContextOptions): Promise<OpenedPage>;
  close(): Promise<void>;
}

export async function startBrowser(): Promise<TestBrowser> {
  const directory = await mkdtemp(join(tmpdir(), 'kmodlayer-browser-'));
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  let count = 0;
  return {
    async open(html, options = {}) {
      const file = join(directory, `report-${(count += 1)}.html`);
      await writeFile(file, html);
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const requests: string[] = [];
      const complaints: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('dialog', (dialog) => {
        complaints.push(dialog.message());
        void dialog.dismiss();
      });
      await page.goto(pathToFileURL(file).href);
      return { page, requests, complaints };
    },
    async close() {
      await browser.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What axe finds wrong with a page as it stands, best practices included, each with the places. */
export async function accessibilityProblems(page: Page): Promise<readonly string[]> {
  const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** A role and a name that a screen reader is told. */
export interface AccessibleNode {
  readonly role: string;
  readonly name: string;
  readonly level?: number;
}

/** The tree that the browser hands to screen readers, in the order of reading. */
export async function accessibleNodes(page: Page): Promise<readonly AccessibleNode[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const read = (id: string): readonly AccessibleNode[] => {
    const { role, name, properties, ignored, childIds = [] } = byId.get(id)!;
    const level = properties?.find((property) => property.name === 'level')?.value.value as
      number | undefined;
    const self = {
      role: String(role?.value),
      name: String(name?.value ?? ''),
      ...(level === undefined ? {} : { level }),
    };
    return [...(ignored ? [] : [self]), ...childIds.flatMap(read)];
  };
  return read(nodes.find(({ parentId }) => parentId === undefined)!.nodeId);
}

interface Text {
  readonly text: string;
  readonly colour: string;
  readonly ground: string;
}

/** Texts whose contrast with what is behind them is below `least`: with the colours and the ratio. */
export async function paleTexts(page: Page, least: number): Promise<readonly string[]> {
  const texts = await page.evaluate<readonly Text[]>(`(() => {
    const groundOf = (element) => {
      if (element.localName === 'text') return getComputedStyle(element.parentElement.querySelector('.frame')).fill;
      for (let one = element; one !== null; one = one.parentElement) {
        const colour = getComputedStyle(one).backgroundColor;
        if (colour !== 'rgba(0, 0, 0, 0)') return colour;
      }
      return 'rgb(255, 255, 255)';
    };
    return [...document.body.querySelectorAll('*')]
      .filter((one) => one.closest('defs, title, desc') === null)
      .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
      .map((one) => {
        const style = getComputedStyle(one);
        return { text: one.textContent.trim(), colour: one.localName === 'text' ? style.fill : style.color, ground: groundOf(one) };
      });
  })()`);
  if (texts.length === 0) throw new Error('The page has no text');
  return texts
    .map(({ text, colour, ground }) => ({ text, colour, ground, ratio: contrastOf(colour, ground) }))
    .filter(({ ratio }) => ratio < least)
    .map(({ text, colour, ground, ratio }) => `${text}: ${colour} on ${ground}, ${ratio.toFixed(2)}`);
}

/** @see https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrastOf(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminanceOf(one), luminanceOf(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminanceOf(colour: string): number {
  const parts = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(colour)?.slice(1);
  if (parts === undefined) throw new Error(`Not an opaque colour: ${colour}`);
  const [red = 0, green = 0, blue = 0] = parts.map((text) => {
    const part = Number(text) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Opens everything that is folded away. */
export async function unfold(page: Page): Promise<void> {
  await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
}
