import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../cli/exit-codes.ts';
import { makeProgram } from '../cli/program.ts';
import { parseSpec } from '../src/spec/spec.ts';
import { contextOf, runCli } from './support/cli.ts';
import { TestRegistry } from './support/test-registry.ts';

const EXAMPLES = resolve('fixtures/examples');
const QUICKSTART = resolve('fixtures/quickstart');

/** A code block with the name of the file that it is. */
const BLOCK = /```(\w+) fixtures\/examples\/(\S+)\n([\s\S]*?)```\n/;

let readme = '';
let registry: TestRegistry;
let directory = '';

beforeAll(async () => {
  readme = await readFile('README.md', 'utf8');
  registry = await new TestRegistry().listen();
});

afterAll(() => registry.close());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const example = (name: string): Promise<string> => readFile(join(EXAMPLES, name), 'utf8');

/**
 * The example without what only a real machine has: the release is a layout, the driver is compiled, the key is public,
 * and the registry is one of this process.
 */
async function offlineSpec(): Promise<string> {
  return (await example('kmodlayer.yaml'))
    .replace('[4.18.4] ', `['oci:${QUICKSTART}/release:4.18.4'] `)
    .replace(
      '{ directory: ./src }',
      `{ files: [${QUICKSTART}/modules/kl_base.ko, ${QUICKSTART}/modules/kl_hello.ko] }`,
    )
    .replace(/^ {4}build: .*\n/m, '')
    .replace('./signing.key', `${QUICKSTART}/keys/TEST-ONLY.key`)
    .replace('./signing.der', `${QUICKSTART}/keys/TEST-ONLY.der`)
    .replace('quay.example.com', registry.host);
}

describe('README.md', () => {
  it('has at most 150 lines', () => {
    expect(readme.split('\n').length - 1).toBeLessThanOrEqual(150);
  });

  it('has the files of fixtures/examples as its code blocks: npm test -- -u, twice when an output changes', async () => {
    const parts = readme.split(BLOCK);

    // Text, language, name and content of a block in turns.
    const names = parts.filter((_, at) => at % 4 === 2);
    const rendered = await Promise.all(
      parts.map(async (part, at) => {
        if (at % 4 === 1) return `\`\`\`${part} `;
        if (at % 4 === 2) return `fixtures/examples/${part}\n`;
        return at % 4 === 3 ? `${await example(parts[at - 1]!)}\`\`\`\n` : part;
      }),
    );
    await expect(rendered.join('')).toMatchFileSnapshot('../README.md');
    expect(readme.match(/^```/gm)).toHaveLength(2 * names.length);
    expect(names.sort()).toEqual((await readdir(EXAMPLES)).sort());
  });

  it('links only to files that are here', async () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, link]) => link!);

    const tracked = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n');
    expect(links.length).toBeGreaterThan(2);
    expect(tracked).toEqual(expect.arrayContaining(links));
  });

  it('names scripts that package.json has', async () => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };

    const named = [...readme.matchAll(/npm (?:run )?((?!ci\b|run\b)[a-z][a-z:0-9]*)/g)].map(
      ([, name]) => name,
    );
    expect(named).toContain('quickstart');
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
  });

  it('lists the verbs that the command line has, each with what its help says', () => {
    const rows = [...readme.matchAll(/^\| `(?<verb>[a-z-]+)[^`]*` +\| (?<text>.*?) *\|$/gm)].map(
      ({ groups }) => [groups!['verb'], groups!['text']],
    );

    const { commands } = makeProgram(contextOf().context);
    expect(rows).toEqual(commands.map((command) => [command.name(), command.description()]));
  });

  it('has a line for each kind of manifest, which prints what it links to', async () => {
    const rows = [...readme.matchAll(/^\| \[`(.+)`\]\((.+)\) \| `(.+)` \|$/gm)].map(([, ...row]) => row);

    const kinds = makeProgram(contextOf().context)
      .commands.find((command) => command.name() === 'machine-config')!
      .commands.map((command) => command.name())
      // The first is the example above them, the other prints no manifest.
      .filter((kind) => kind !== 'os-image' && kind !== 'verify-script');
    // That these print what stands beside them, test/cli/machine-config/examples.test.ts says.
    const expected = kinds.map(async (kind) => {
      const commands = (await readFile(`fixtures/manifests/${kind}.sh`, 'utf8')).replaceAll('\\\n', ' ');
      const words = commands.split('|').at(-1)!.trim().split(/\s+/);
      expect(words.slice(0, 3)).toEqual(['kmodlayer', 'machine-config', kind]);
      return [kind, `fixtures/manifests/${kind}.yaml`, words.slice(3).join(' ')];
    });
    expect(rows.sort()).toEqual((await Promise.all(expected)).sort());
  });

  it('lists the exit codes', () => {
    const [, list] = /^Exit codes: ([\s\S]*?)\.\n/m.exec(readme)!;

    const listed = list!.split(',').map((entry) => Number(/\d+/.exec(entry)?.[0]));
    expect(listed).toEqual(Object.values(EXIT_CODES));
  });
});

describe('The example', () => {
  it('has a spec without mistakes', async () => {
    const set = parseSpec(await example('kmodlayer.yaml'), 'kmodlayer.yaml');

    expect(set).toMatchObject({ name: 'hello', targets: { releases: [{ version: '4.18.4' }] } });
  });

  it('builds, prints and writes what it shows: npm test -- -u', async () => {
    await writeFile(join(directory, 'kmodlayer.yaml'), await offlineSpec());
    await copyFile('fixtures/auth/pull-secret.json', join(directory, 'pull-secret.json'));
    const [program, ...argv] = (await example('build.sh')).trim().split(' ');

    const run = await runCli([...argv, '--insecure-registry', registry.host], { cwd: directory });

    expect(program).toBe('kmodlayer');
    expect(run.stderr).not.toMatch(/error|warning/);
    expect(run.exitCode).toBe(0);
    const asShown = (text: string): string => text.replaceAll(registry.host, 'quay.example.com');
    await expect(asShown(run.stdout)).toMatchFileSnapshot(join(EXAMPLES, 'build.txt'));
    const written = await readdir(join(directory, 'manifests'));
    const [manifest] = (await readdir(EXAMPLES)).filter((name) => /^\d\d-.*\.yaml$/.test(name));
    expect(written).toEqual([manifest]);
    const yaml = asShown(await readFile(join(directory, 'manifests', basename(manifest!)), 'utf8'));
    await expect(yaml).toMatchFileSnapshot(join(EXAMPLES, manifest!));
  });

  it('builds as a library, too', async () => {
    const file = join(directory, 'kmodlayer.yaml');
    await writeFile(
      file,
      (await offlineSpec()).replace(`${registry.host}/acme/rhcos-hello`, 'oci:./published'),
    );
    const library = resolve('fixtures/library/build-all.ts');

    const { buildAll } = (await import(library)) as {
      buildAll: (file: string) => Promise<readonly string[]>;
    };
    const images = await buildAll(file);

    expect(images).toHaveLength(1);
    expect(images[0]).toMatch(new RegExp(`^oci:${directory}/published@sha256:[0-9a-f]{64}$`));
  });
});
