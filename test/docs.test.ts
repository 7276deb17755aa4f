import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** A code block with the path of the file that it is. */
const BLOCK = /```(\w+) (fixtures\/\S+)\n([\s\S]*?)```\n/;

describe.each(readdirSync('docs').filter((name) => name.endsWith('.md')))('docs/%s', (name) => {
  const text = readFileSync(join('docs', name), 'utf8');

  it('has files of this repository as its code blocks: npx vitest run test/docs.test.ts -u', async () => {
    const parts = text.split(BLOCK);

    // Text, language, path and content of a block in turns.
    const rendered = parts.map((part, at) => {
      if (at % 4 === 1) return `\`\`\`${part} `;
      if (at % 4 === 2) return `${part}\n`;
      return at % 4 === 3 ? `${readFileSync(parts[at - 1] ?? '', 'utf8')}\`\`\`\n` : part;
    });

    await expect(rendered.join('')).toMatchFileSnapshot(join('../docs', name));
  });

  it('links only to files that are here', () => {
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, link = '']) =>
      join(dirname('docs/x'), link),
    );

    const tracked = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n');
    expect(tracked).toEqual(expect.arrayContaining(links));
  });

  it('names only flags that the command line has', () => {
    const help = readdirSync('fixtures/help')
      .map((file) => readFileSync(join('fixtures/help', file), 'utf8'))
      .join('\n');

    const flags = [...text.matchAll(/`(--[a-z0-9-]+)(?:\/-[a-z]+)?(?: [^`]*)?`/g)].map(([, flag]) => flag);
    for (const flag of flags) expect(help).toContain(flag);
  });
});
