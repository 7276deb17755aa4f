import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/compile.ts';
import { digestOf, parseDigest } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { parseModuleName } from '../../src/spec/module-name.ts';
import { RUN } from '../compile/requests.ts';
import { makeCompileIo, printedLines } from '../support/compile-io.ts';
import {
  COMMAND,
  copyHello,
  modinfo,
  requestFor,
  startCompileWorld,
  streamOf,
  writeModules,
  type CompileWorld,
} from '../support/compile-world.ts';
import { worldDirectory, worldDriver } from '../support/world.ts';

let world: CompileWorld;

beforeAll(async () => {
  world = await startCompileWorld();
});

afterAll(async () => {
  await world.stop();
});

describe('compile() with podman', () => {
  it('compiles a driver of two modules, and leaves nothing in the storage of the engine', async () => {
    const image = parseReference(streamOf('4.18.4').driverToolkit);
    await world.engine.pull({ image, arch: 'x86_64', signal: new AbortController().signal });
    const before = world.traces();

    const compiled = await compile(
      requestFor(world.directory, { ...RUN, command: COMMAND }),
      makeCompileIo(world.engine),
    );

    const [hello = '', base = ''] = writeModules(world.directory, compiled);
    expect(modinfo('vermagic', hello)).toMatch(/^6\.1\.0-56-amd64 /);
    expect(modinfo('depends', hello)).toBe('kl_base');
    expect(modinfo('name', base)).toBe('kl_base');
    expect(execFileSync('readelf', ['-SW', hello], { encoding: 'utf8' })).not.toContain('.debug_info');
    expect(compiled.symvers).toMatch(/^0x[0-9a-f]{8}\tkl_base_greet\t/);
    expect(world.traces()).toEqual(before);
  });

  it('makes the same bytes from the same source at another place and time', async () => {
    const one = await compile(
      requestFor(world.directory, { ...RUN, command: COMMAND }),
      makeCompileIo(world.engine),
    );
    const source = { type: 'directory', path: copyHello(world.directory) } as const;

    const other = await compile(
      requestFor(world.directory, { ...RUN, command: COMMAND }, { source }),
      makeCompileIo(world.engine),
    );

    expect(other.modules.map(({ bytes }) => digestOf(bytes))).toEqual(
      one.modules.map(({ bytes }) => digestOf(bytes)),
    );
    expect(other.source).toEqual(one.source);
  });

  it('compiles for the real-time kernel of a release', async () => {
    const kernel = streamOf('4.18.4').rtKernelRelease ?? '';
    const request = requestFor(world.directory, { ...RUN, command: COMMAND }, {}, { kernel });

    const compiled = await compile(request, makeCompileIo(world.engine));

    const [hello = ''] = writeModules(world.directory, compiled);
    expect(modinfo('vermagic', hello)).toMatch(/^6\.1\.0-56-rt-amd64 SMP preempt_rt /);
  });

  it('compiles v4l2loopback as its own Makefile wants it', async () => {
    const build = {
      ...RUN,
      command:
        'make KERNELRELEASE="$KERNEL_RELEASE" KERNEL_DIR="/usr/src/kernels/$KERNEL_RELEASE" v4l2loopback.ko',
    };
    const name = parseModuleName('v4l2loopback');
    const modules = [{ name, autoload: false, replaces: [], parameters: {} }];
    const source = { type: 'directory', path: worldDriver('v4l2loopback') } as const;

    const compiled = await compile(
      requestFor(world.directory, build, { modules, source }),
      makeCompileIo(world.engine),
    );

    const [path = ''] = writeModules(world.directory, compiled);
    expect(modinfo('depends', path)).toBe('videodev');
  });

  it('passes build arguments, a directory to run in, and the directory of the results', async () => {
    const source = {
      type: 'directory',
      path: copyHello(world.directory, (root) => {
        cpSync(copyHello(world.directory), join(root, 'sub-dir'), { recursive: true });
        rmSync(join(root, 'Kbuild'));
      }),
    } as const;
    const command = `test "$GREETING" = "it's \\$5" && test "$MOD_NAME" = hello && ${COMMAND} && mkdir out && cp *.ko out`;
    const build = {
      ...RUN,
      command,
      workdir: 'sub-dir',
      output: 'sub-dir/out',
      args: { GREETING: "it's $5" },
    };

    const compiled = await compile(
      requestFor(world.directory, build, { source }),
      makeCompileIo(world.engine),
    );

    expect(compiled.modules).toHaveLength(2);
  });

  it('mounts secrets while the build runs, and never shows them', async () => {
    const secret = 'hunter2-hunter2';
    const file = join(world.directory, 'se,cret=.txt');
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    const command = `test "$(cat /run/secrets/token)" = ${['hunter2', 'hunter2'].join('-')}; cat /run/secrets/token; ${COMMAND}`;
    const io = makeCompileIo(world.engine);

    const compiled = await compile(
      requestFor(world.directory, { ...RUN, command, secrets: [{ id: 'token', file }] }),
      io,
    );

    expect(compiled.modules).toHaveLength(2);
    expect(printedLines(io)).toContain('***');
    expect(JSON.stringify(io.events)).not.toContain(secret);
  });

  it('takes a driver from git, by branch and by commit', async () => {
    const repository = copyHello(world.directory);
    const git = (...args: readonly string[]): string =>
      execFileSync(
        'git',
        ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args],
        { encoding: 'utf8' },
      ).trim();
    git('init', '--quiet', '--initial-branch=main');
    git('add', '.');
    git('commit', '--quiet', '--message=one');
    const commit = git('rev-parse', 'HEAD');
    writeFileSync(join(repository, 'kl_base.c'), '#error\n');
    git('commit', '--quiet', '--all', '--message=broken');
    git('branch', 'good', commit);
    const build = { ...RUN, command: COMMAND };
    const url = `file://${repository}`;

    const byBranch = await compile(
      requestFor(world.directory, build, { source: { type: 'git', url, ref: 'good' } }),
      makeCompileIo(world.engine),
    );
    const pinned = {
      ...requestFor(world.directory, build, { source: { type: 'git', url, ref: 'main' } }),
      commit,
    };
    const byCommit = await compile(pinned, makeCompileIo(world.engine));

    expect(byBranch.source).toMatchObject({ type: 'git', url, ref: 'good', commit });
    expect(byCommit.source).toMatchObject({ commit });
    expect(byCommit.modules.map(({ bytes }) => digestOf(bytes))).toEqual(
      byBranch.modules.map(({ bytes }) => digestOf(bytes)),
    );
  });

  it('builds a stage of a Containerfile written for KMM, and finds the modules in it', async () => {
    writeFileSync(
      join(world.directory, 'Containerfile.kmm'),
      [
        'ARG DTK_AUTO',
        'FROM ${DTK_AUTO} AS sources',
        'WORKDIR /build',
        'COPY . .',
        'FROM sources AS builder',
        'ARG KERNEL_FULL_VERSION',
        'RUN --mount=type=secret,id=token cat /run/secrets/token',
        'RUN make -C "/lib/modules/${KERNEL_FULL_VERSION}/build" M=/build modules',
        'FROM scratch AS modules',
        'ARG KERNEL_FULL_VERSION',
        'COPY --from=builder /build/*.ko /opt/lib/modules/${KERNEL_FULL_VERSION}/',
        'FROM scratch AS other',
        'COPY kl_base.h /',
        '',
      ].join('\n'),
    );
    const token = join(world.directory, 'token');
    writeFileSync(token, 'hunter3-hunter3\n');
    const secrets = [{ id: 'token', file: token }];
    const io = makeCompileIo(world.engine);
    const before = world.traces();

    const build = {
      type: 'containerfile',
      path: 'Containerfile.kmm',
      stage: 'modules',
      args: {},
      secrets,
      output: undefined,
    } as const;
    const compiled = await compile(requestFor(world.directory, build), io);

    expect(compiled.modules.map(({ fileName }) => fileName)).toEqual(['kl_hello.ko', 'kl_base.ko']);
    expect(printedLines(io)).toContain('***');
    expect(world.traces()).toEqual(before);
  });

  it('reads the driver-toolkit from a layout, by digest', async () => {
    const digest = parseDigest(streamOf('4.18.5').driverToolkit.replace(/^.*@/, ''));
    const image = { transport: 'oci', path: join(worldDirectory(), 'layout'), digest } as const;

    const compiled = await compile(
      requestFor(world.directory, { ...RUN, command: COMMAND }, {}, { image }),
      makeCompileIo(world.engine),
    );

    expect(compiled.modules).toHaveLength(2);
  });
});
