import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/compile.ts';
import type { Build, BuildRequest, Engine } from '../../src/engine/engine.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { RUN } from '../compile/requests.ts';
import { makeCompileIo, printedLines } from '../support/compile-io.ts';
import { COMMAND, requestFor, streamOf } from '../support/compile-world.ts';

/** An engine with a storage of its own, ready to be tried. */
export interface EngineSubject {
  readonly engine: Engine;
  /** The same engine without credentials. */
  readonly stranger: Engine;
  /** Directory that holds all that the engine keeps. */
  readonly storage: string;
  /** False for podman's service, which lets a step that runs come to its end when nobody waits for it any more. */
  readonly stopsSteps: boolean;
  /** Everything that a request could leave behind. */
  readonly traces: () => Readonly<Record<string, unknown>>;
  readonly close: () => Promise<void>;
}

/** What must be the same whichever engine made it, by name; shared by all subjects. */
export type Results = Map<string, unknown>;

const NEVER = new AbortController().signal;
const BASE = 'FROM scratch AS base\nCOPY busybox /bin/sh\n';
const SECRET = 'hunter2-hunter2-hunter2';

/** What every engine does. */
export function engineContract(name: string, start: () => Promise<EngineSubject>, results: Results): void {
  describe(`builds with ${name}`, () => {
    let subject: EngineSubject;
    let directory: string;
    let context: string;
    beforeAll(async () => {
      subject = await start();
      directory = mkdtempSync(join(tmpdir(), 'kmodlayer-contract-'));
      context = join(directory, 'context');
      mkdirSync(join(context, 'sub/.git'), { recursive: true });
      copyFileSync('/bin/busybox', join(context, 'busybox'));
      for (const path of ['a.txt', 'b.txt', 'sub/c.txt', 'sub/.git/config']) {
        writeFileSync(join(context, path), `${path}\n`);
      }
    });
    afterAll(async () => {
      await subject.close();
      rmSync(directory, { recursive: true, force: true });
    });

    const build = async (
      builds: readonly [Partial<Build>, ...Partial<Build>[]],
      changes: Partial<BuildRequest> = {},
    ): Promise<{ readonly lines: readonly string[]; readonly files: Readonly<Record<string, string>> }> => {
      const lines: string[] = [];
      const outputDirectory = mkdtempSync(join(directory, 'output-'));
      await subject.engine.build({
        builds: builds.map((one) => ({ containerfile: '', args: {}, secrets: [], ...one })) as never,
        assets: [],
        arch: 'x86_64',
        outputDirectory,
        onLine: (line) => lines.push(line),
        signal: NEVER,
        ...changes,
      });
      return { lines, files: readTree(outputDirectory) };
    };
    const same = (what: string, value: unknown): void => {
      if (!results.has(what)) results.set(what, value);
      expect(value).toEqual(results.get(what));
    };

    it('builds a stage with assets and arguments, and leaves its files and nothing else', async () => {
      const before = subject.traces();
      const containerfile = `${BASE}
ARG WORD
COPY --from=kmodlayer . /assets/
COPY sub /sub/
RUN echo "it says $WORD"; mkdir /out; echo "$WORD" >/out/word; cat /assets/x/asset >/out/asset; cp -r /sub /out/sub; cp /assets/run.sh /out; /bin/sh /assets/run.sh
FROM scratch AS wanted
COPY --from=base /out/ /
FROM scratch AS other
COPY a.txt /
`;

      const { files, lines } = await build(
        [{ containerfile, context, stage: 'wanted', args: { WORD: `it's $5 "q"` } }],
        {
          assets: [
            { path: 'x/asset', text: 'an asset\n' },
            { path: 'run.sh', text: 'ln -s /etc/passwd /out/link\n' },
          ],
        },
      );

      expect(files).toEqual({
        word: `it's $5 "q"\n`,
        asset: 'an asset\n',
        'sub/c.txt': 'sub/c.txt\n',
        'run.sh': 'ln -s /etc/passwd /out/link\n',
      });
      expect(lines).toContain(`it says it's $5 "q"`);
      expect(subject.traces()).toEqual(before);
    });

    it('shows a secret to the step that asks for it, and to nothing else', async () => {
      const file = join(directory, 'se,cret=.txt');
      writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
      const containerfile = `${BASE}
RUN --mount=type=secret,id=token cat /run/secrets/token; wc -c </run/secrets/token >/length
RUN test ! -e /run/secrets/token
FROM scratch
COPY --from=base /length /
`;

      const { files, lines } = await build([{ containerfile, context, secrets: [{ id: 'token', file }] }]);

      expect(files).toEqual({ length: `${SECRET.length + 1}\n` });
      expect(lines).toContain('***');
      expect(lines.join('\n')).not.toContain(SECRET);
      expect(filesWith(SECRET, subject.storage)).toEqual([]);
    });

    it('builds a Containerfile of a user: an ignore file, a stage that starts from another, and one after it', async () => {
      const theirs = join(directory, 'theirs');
      mkdirSync(join(theirs, 'docs'), { recursive: true });
      copyFileSync('/bin/busybox', join(theirs, 'busybox'));
      for (const path of ['a.txt', 'docs/a.md', 'docs/keep.md']) writeFileSync(join(theirs, path), path);
      writeFileSync(join(theirs, '.dockerignore'), 'docs/*\n!docs/keep.md\n*.txt\n.dockerignore\n');
      const before = subject.traces();
      const user = {
        containerfile: `${BASE}RUN echo one >/one\nFROM base AS second\nCOPY . /all/\nRUN test ! -e /all/a.txt\nFROM second AS third\nRUN echo two >/two\n`,
        context: theirs,
        isForeign: true,
      };
      const collect = {
        containerfile: `ARG STAGE\nFROM \${STAGE} AS stage\nFROM stage AS collect\nRUN --mount=type=bind,from=stage,source=/,target=/x cp -r /x/all /out && rm /out/busybox && cp /x/one /x/two /out/\nFROM scratch\nCOPY --from=collect /out/docs /docs\nCOPY --from=collect /out/one /out/two /\n`,
        args: { STAGE: 'localhost/kmodlayer/build-0' },
      };

      const { files } = await build([user, collect]);

      expect(files).toEqual({ 'docs/keep.md': 'docs/keep.md', one: 'one\n', two: 'two\n' });
      expect(subject.traces()).toEqual(before);
    });

    it('says with which status a step ended, and shows its last lines', async () => {
      const before = subject.traces();

      const building = build([{ containerfile: `${BASE}RUN echo no such header; exit 2\n`, context }]);

      await expect(building).rejects.toMatchObject({
        code: 'COMPILE_FAILED',
        message: expect.stringMatching(/exit status 2$/) as string,
        logTail: expect.arrayContaining([expect.stringMatching(/^no such header$/)]) as string[],
      });
      expect(subject.traces()).toEqual(before);
    });

    it.each([
      ['a file that is not there', `${BASE}COPY nowhere /\n`, undefined],
      ['a stage that is not there', BASE, 'nowhere'],
      ['a word that is no instruction', `${BASE}BOGUS x\n`, undefined],
    ])('tells %s from an engine that does not work', async (_what, containerfile, stage) => {
      const building = build([{ containerfile, context, ...(stage === undefined ? {} : { stage }) }]);

      await expect(building).rejects.toMatchObject({ code: 'COMPILE_FAILED' });
    });

    it('stops on an interrupt, and leaves neither process, nor container, nor image, nor file', async () => {
      const before = subject.traces();
      const controller = new AbortController();
      const seconds = 90_000 + Math.floor(Math.random() * 9000);

      const building = build([{ containerfile: `${BASE}RUN echo it runs; sleep ${seconds}\n`, context }], {
        signal: controller.signal,
        onLine: (line) => {
          if (line.endsWith('it runs')) controller.abort(new Error('interrupted'));
        },
      });

      await expect(building).rejects.toThrow('interrupted');
      expect(subject.traces()).toEqual(before);
      const left = processesOf(`sleep ${seconds}`);
      left.forEach((pid) => process.kill(pid, 'SIGKILL'));
      if (subject.stopsSteps) expect(left).toEqual([]);
    });

    it('fetches by digest with credentials, and says so when there are none', async () => {
      const image = parseReference(streamOf('4.18.5').driverToolkit);

      const pulling = subject.stranger.pull({ image, arch: 'x86_64', signal: NEVER });

      await expect(pulling).rejects.toMatchObject({ name: 'RegistryError', code: 'UNAUTHORIZED' });
      expect(await subject.engine.pull({ image, arch: 'x86_64', signal: NEVER })).not.toBe('');
    });

    it('compiles a driver to the same bytes as any other engine', async () => {
      const io = makeCompileIo(subject.engine);
      const stream = streamOf('4.18.5');

      const compiled = await compile(requestFor(directory, { ...RUN, command: COMMAND }, {}, { stream }), io);

      expect(printedLines(io).join('\n')).toContain('LD [M]');
      same(
        'modules',
        compiled.modules.map(({ fileName, bytes }) => [fileName, digestOf(bytes)]),
      );
      same('symvers', compiled.symvers);
    });
  });
}

function readTree(root: string): Readonly<Record<string, string>> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(root.length + 1), readFileSync(path, 'utf8')]),
  );
}

function filesWith(text: string, directory: string): readonly string[] {
  try {
    return execFileSync('grep', ['-rlF', '--', text, directory], { encoding: 'utf8' }).trim().split('\n');
  } catch (error) {
    if ((error as { status?: number }).status === 1) return [];
    throw error;
  }
}

function processesOf(command: string): readonly number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(command)).map((line) => Number.parseInt(line, 10));
}
