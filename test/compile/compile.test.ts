import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compile, type CompileRequest } from '../../src/compile/compile.ts';
import type { BuildRequest, Engine } from '../../src/engine/engine.ts';
import { CompileError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { makeCompileIo } from '../support/compile-io.ts';
import { makeDriver, makeRequest, RUN } from './requests.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
  mkdirSync(join(directory, 'hello'));
  writeFileSync(join(directory, 'hello/Kbuild'), 'obj-m := kl_hello.o\n');
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** An engine that leaves files, prints lines, and then fails when told to. */
function makeEngine(files: Readonly<Record<string, string>>, lines: readonly string[] = [], failure?: Error) {
  const requests: BuildRequest[] = [];
  const engine: Engine = {
    name: 'podman',
    version: '0',
    pull: () => Promise.resolve('f00d'),
    build: (request) => {
      requests.push(request);
      for (const line of lines) request.onLine(line);
      if (failure !== undefined) return Promise.reject(failure);
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(request.outputDirectory, path)), { recursive: true });
        writeFileSync(join(request.outputDirectory, path), text);
      }
      return Promise.resolve();
    },
  };
  return { engine, requests };
}

function request(changes: Partial<CompileRequest> = {}): CompileRequest {
  return { ...makeRequest(RUN), set: { file: join(directory, 'kmodlayer.yaml') }, ...changes };
}

const BOTH = {
  'modules/kl_base.ko': 'base',
  'modules/sub/kl-hello.ko': 'hello',
  'found.txt': 'kl_base.ko\nsub/kl-hello.ko\n',
};

describe('compile()', () => {
  it('returns the modules that the spec names, in its order, and where they came from', async () => {
    const io = makeCompileIo(makeEngine({ ...BOTH, 'symvers/Module.symvers': '0x1\ta\n' }).engine);

    const compiled = await compile(request(), io);

    expect(compiled.modules.map(({ name, fileName }) => [name, fileName])).toEqual([
      ['kl_hello', 'kl-hello.ko'],
      ['kl_base', 'kl_base.ko'],
    ]);
    expect(compiled.symvers).toBe('0x1\ta\n');
    expect(compiled.source).toEqual({
      type: 'directory',
      digest: expect.stringMatching(/^sha256:/) as string,
    });
  });

  it('tells of modules that the spec does not name', async () => {
    const files = { ...BOTH, 'found.txt': `${BOTH['found.txt']}kl_extra.ko\n` };
    const io = makeCompileIo(makeEngine(files).engine);

    await compile(request(), io);

    expect(io.events).toContainEqual({
      type: 'detail',
      message: 'hello also makes kl_extra, which the spec does not name',
    });
  });

  it('names what was built when a module is missing', async () => {
    const files = { 'modules/kl_base.ko': 'base', 'found.txt': 'kl_base.ko\nkl_helo.ko\n' };

    const compiling = compile(request(), makeCompileIo(makeEngine(files).engine));

    await expect(compiling).rejects.toMatchObject({
      code: 'MODULE_MISSING',
      message: 'Cannot find module kl_hello among what hello built: there are kl_base.ko, kl_helo.ko',
    });
  });

  it('takes the installed file when the source tree has another of the same module', async () => {
    const kernel = request().kernel;
    const files = { ...BOTH, [`modules/opt/lib/modules/${kernel}/kl_base.ko`]: 'installed' };

    const compiled = await compile(request(), makeCompileIo(makeEngine(files).engine));

    expect(Buffer.from(compiled.modules[1]?.bytes ?? []).toString()).toBe('installed');
  });

  it('does not choose between files of one module that differ', async () => {
    const files = { ...BOTH, 'modules/other/kl_base.ko': 'different' };

    const compiling = compile(request(), makeCompileIo(makeEngine(files).engine));

    await expect(compiling).rejects.toThrow('Cannot tell which file is the module kl_base');
  });

  it('keeps the whole log of a failed compile and shows its end', async () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    const failure = new CompileError(
      'COMPILE_FAILED',
      'Cannot build the driver: building at STEP "RUN x": exit status 2',
    );
    const io = makeCompileIo(makeEngine({}, lines, failure).engine);

    const error: unknown = await compile(request(), io).catch((reason: unknown) => reason);

    const name = 'hello-5.14.0-427.50.1.el9_4.x86_64+rt.log';
    expect(io.logs.get(name)).toEqual(lines);
    expect(error).toMatchObject({
      code: 'COMPILE_FAILED',
      message: 'Cannot compile hello for 5.14.0-427.50.1.el9_4.x86_64+rt: its build ends with exit status 2',
      logFile: `/logs/${name}`,
      logTail: lines.slice(-40),
    });
  });

  it.each([
    [
      'kmodlayer-toolchain:headers-missing|6.1.0|6.1.1 6.1.2',
      'the driver-toolkit has headers for 6.1.1, 6.1.2',
    ],
    ['kmodlayer-toolchain:headers-missing|6.1.0|', 'the driver-toolkit has headers for no kernel at all'],
    [
      'kmodlayer-toolchain:compiler-mismatch|gcc (GCC) 11.4.1|gcc (GCC) 12.2.0',
      'it was built with gcc (GCC) 11.4.1, and the compiler is gcc (GCC) 12.2.0',
    ],
    [
      'kmodlayer-toolchain:compiler-missing|gcc (GCC) 11.4.1|gcc',
      'it was built with gcc (GCC) 11.4.1, and there is no gcc',
    ],
  ])('reads %s', async (line, message) => {
    const failure = new CompileError('COMPILE_FAILED', 'Cannot build the driver: exit status 65');

    const compiling = compile(request(), makeCompileIo(makeEngine({}, [line], failure).engine));

    await expect(compiling).rejects.toMatchObject({
      code: 'TOOLCHAIN_MISMATCH',
      message: expect.stringContaining(message) as string,
    });
  });

  it.each([
    [
      'excluded|BUILD_EXCLUSIVE_KERNEL="^4"',
      'KERNEL_EXCLUDED',
      'its dkms.conf says BUILD_EXCLUSIVE_KERNEL="^4"',
    ],
    ['not-built|src/acme.ko', 'COMPILE_FAILED', 'its MAKE did not make: src/acme.ko'],
  ])('reads kmodlayer-dkms:%s', async (line, code, message) => {
    const failure = new CompileError('COMPILE_FAILED', 'Cannot build the driver: exit status 66');
    const { engine } = makeEngine({}, [`kmodlayer-dkms:${line}`], failure);

    await expect(compile(request(), makeCompileIo(engine))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });

  it('unpacks an archive of the spec for the build, and records its checksum', async () => {
    execFileSync('tar', ['-C', directory, '-czf', join(directory, 'hello.tar.gz'), 'hello']);
    const sha256 = digestOf(readFileSync(join(directory, 'hello.tar.gz')));
    const archive = {
      type: 'archive',
      file: { location: { type: 'file', path: 'hello.tar.gz' }, sha256 },
      directory: undefined,
    } as const;
    const made = makeEngine(BOTH);
    let seen: readonly string[] = [];
    const engine: Engine = {
      ...made.engine,
      build: (build) => {
        seen = readdirSync(build.builds[0].context ?? '');
        return made.engine.build(build);
      },
    };
    const driver = makeDriver({ source: { type: 'dkms', tree: archive }, build: { ...RUN, type: 'dkms' } });

    const compiled = await compile(request({ driver }), makeCompileIo(engine));

    expect(seen).toEqual(['Kbuild']);
    expect(compiled.source).toEqual({
      type: 'dkms',
      tree: { type: 'archive', digest: sha256 },
      digest: sha256,
    });
    const text = made.requests[0]?.assets.find(({ path }) => path === 'command.sh')?.text;
    expect(text).toBe('exec bash /kmodlayer/bin/build-dkms.sh\n');
  });

  it('leaves no temporary directory behind', async () => {
    const failure = new CompileError('ENGINE_FAILED', 'no');
    const io = makeCompileIo(makeEngine({}, [], failure).engine);

    await expect(compile(request(), io)).rejects.toMatchObject({ code: 'ENGINE_FAILED' });

    expect(io.directories).toHaveLength(1);
    expect(existsSync(io.directories[0] ?? '')).toBe(false);
  });

  it('reads modules that are there already without an engine', async () => {
    writeFileSync(join(directory, 'kl_hello.ko'), 'hello');
    writeFileSync(join(directory, 'kl-base.ko.xz'), 'base');
    const driver = makeRequest(undefined, {
      source: { type: 'files', paths: ['kl_hello.ko', 'kl-base.ko.xz'] },
    }).driver;

    const compiled = await compile(request({ driver }), makeCompileIo(new Error('no engine here')));

    expect(compiled.modules.map(({ fileName }) => fileName)).toEqual(['kl_hello.ko', 'kl-base.ko.xz']);
    expect(compiled.source.type).toBe('files');
  });

  it('says which prebuilt file it cannot read', async () => {
    const driver = makeRequest(undefined, { source: { type: 'files', paths: ['nowhere.ko'] } }).driver;

    const compiling = compile(request({ driver }), makeCompileIo(new Error('no engine here')));

    await expect(compiling).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: `Cannot read the module ${join(directory, 'nowhere.ko')}`,
    });
  });

  it('starts nothing when it was interrupted before', async () => {
    const { engine, requests } = makeEngine(BOTH);

    const compiling = compile(request(), makeCompileIo(engine, AbortSignal.abort(new Error('enough'))));

    await expect(compiling).rejects.toThrow('enough');
    expect(requests).toEqual([]);
  });
});
