import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/compile.ts';
import { findEngine } from '../../src/engine/find-engine.ts';
import { parseDigest } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { RUN } from '../compile/requests.ts';
import { makeCompileIo, printedLines } from '../support/compile-io.ts';
import {
  COMMAND,
  copyHello,
  requestFor,
  startCompileWorld,
  streamOf,
  type CompileWorld,
} from '../support/compile-world.ts';

const { signal } = new AbortController();

let world: CompileWorld;

beforeAll(async () => {
  world = await startCompileWorld();
});

afterAll(async () => {
  await world.stop();
});

describe('compile() with podman, when something is wrong', () => {
  it('shows the compiler error at the end of the log, and keeps all of it', async () => {
    const source = {
      type: 'directory',
      path: copyHello(world.directory, (root) => {
        writeFileSync(join(root, 'kl_base.c'), '#error "this kernel is too new"\n');
      }),
    } as const;
    const io = makeCompileIo(world.engine);

    const error: unknown = await compile(
      requestFor(world.directory, { ...RUN, command: COMMAND }, { source }),
      io,
    ).catch((reason: unknown) => reason);

    expect(error).toMatchObject({
      code: 'COMPILE_FAILED',
      message: expect.stringMatching(
        /hello for 6\.1\.0-56-amd64: its build ends with exit status 2$/,
      ) as string,
    });
    const tail = (error as { logTail: readonly string[] }).logTail;
    expect(tail.length).toBeLessThanOrEqual(40);
    expect(tail.join('\n')).toContain('this kernel is too new');
    expect([...io.logs.values()]).toEqual([printedLines(io)]);
  });

  it('finds before make starts that the headers of the kernel are not there', async () => {
    const io = makeCompileIo(world.engine);
    const request = requestFor(
      world.directory,
      { ...RUN, command: 'echo make starts' },
      {},
      { kernel: '6.1.0-1-nowhere' },
    );

    await expect(compile(request, io)).rejects.toMatchObject({
      code: 'TOOLCHAIN_MISMATCH',
      message: expect.stringContaining('6.1.0-56-amd64') as string,
    });

    expect(printedLines(io)).not.toContain('make starts');
  });

  it('finds before make starts that another compiler built the kernel', async () => {
    const id = await world.engine.pull({
      image: parseReference(streamOf('4.18.4').driverToolkit),
      arch: 'x86_64',
      signal,
    });
    const name = 'localhost/kmodlayer-e2e-other-compiler';
    const edit =
      'sed -i -e "s/^CONFIG_GCC_VERSION=.*/CONFIG_GCC_VERSION=110401/" -e "s/^CONFIG_CC_VERSION_TEXT=.*/CONFIG_CC_VERSION_TEXT=\\"gcc (GCC) 11.4.1\\"/"';
    const containerfile = join(world.directory, 'Containerfile.other');
    writeFileSync(containerfile, `FROM ${id}\nRUN ${edit} /lib/modules/6.1.0-56-amd64/build/.config\n`);
    world.podman(
      'build',
      ...world.options.buildArguments,
      '--layers=false',
      '--tag',
      name,
      '--file',
      containerfile,
      world.directory,
    );
    const digest = parseDigest(world.podman('image', 'inspect', '--format', '{{.Digest}}', name).trim());
    const image = { ...parseReference(name), digest };
    const io = makeCompileIo(world.engine);

    const compiling = compile(
      requestFor(world.directory, { ...RUN, command: 'echo make starts' }, {}, { image }),
      io,
    );

    await expect(compiling).rejects.toMatchObject({
      code: 'TOOLCHAIN_MISMATCH',
      message: expect.stringMatching(
        /built with gcc \(GCC\) 11\.4\.1, and the compiler is gcc.* 12\./,
      ) as string,
    });
    expect(printedLines(io)).not.toContain('make starts');
    world.podman('rmi', '--force', name);
  });

  it('stops on an interrupt, and leaves its log, but no container, image, mount or process', async () => {
    await world.engine.pull({
      image: parseReference(streamOf('4.18.4').driverToolkit),
      arch: 'x86_64',
      signal,
    });
    const before = world.traces();
    const controller = new AbortController();
    const io = makeCompileIo(world.engine, controller.signal);
    const report = (event: Parameters<typeof io.report>[0]): void => {
      if (event.type === 'compile-output' && event.line === 'it runs')
        controller.abort(new Error('interrupted'));
    };

    const compiling = compile(requestFor(world.directory, { ...RUN, command: 'echo it runs; sleep 98765' }), {
      ...io,
      report,
    });

    await expect(compiling).rejects.toThrow('interrupted');
    expect(world.traces()).toEqual(before);
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain('sleep 98765');
    // What it said until then is kept.
    expect(io.logs.size).toBe(1);
  });

  it('names the stage that a Containerfile does not have', async () => {
    writeFileSync(join(world.directory, 'Containerfile.short'), 'FROM scratch AS a\nCOPY kl_base.h /\n');
    const build = {
      type: 'containerfile',
      path: 'Containerfile.short',
      stage: 'b',
      args: {},
      secrets: [],
      output: undefined,
    } as const;

    await expect(
      compile(requestFor(world.directory, build), makeCompileIo(world.engine)),
    ).rejects.toMatchObject({
      code: 'COMPILE_FAILED',
      message: expect.stringContaining('"b" was not found') as string,
    });
  });

  it('lists what a build made instead of the module that the spec names', async () => {
    const build = { ...RUN, command: `${COMMAND} && mv kl_hello.ko kl_hallo.ko` };

    await expect(
      compile(requestFor(world.directory, build), makeCompileIo(world.engine)),
    ).rejects.toMatchObject({
      code: 'MODULE_MISSING',
      message: expect.stringContaining('kl_base.ko, kl_hallo.ko') as string,
    });
  });

  it('reports a driver-toolkit that it may not read as missing credentials, not as a failed compile', async () => {
    const authFile = join(world.directory, 'no-auth.json');
    writeFileSync(authFile, '{"auths":{}}');
    const stranger = await findEngine({ ...world.options, authFile }, signal);
    const request = requestFor(
      world.directory,
      { ...RUN, command: COMMAND },
      {},
      { stream: streamOf('4.16.10') },
    );

    await expect(compile(request, makeCompileIo(stranger))).rejects.toMatchObject({
      name: 'RegistryError',
      code: 'UNAUTHORIZED',
      message: expect.stringContaining(world.registry.host) as string,
    });
  });

  it('stops fetching a driver-toolkit on an interrupt, and fetches it when asked again', async () => {
    const image = parseReference(streamOf('4.19.1').driverToolkit);
    world.podman('rmi', '--all', '--force');
    const before = world.traces();
    const pulling = world.engine.pull({ image, arch: 'x86_64', signal: AbortSignal.timeout(400) });

    await expect(pulling).rejects.toThrow('timeout');

    expect(world.traces()).toEqual(before);
    expect(await world.engine.pull({ image, arch: 'x86_64', signal })).toMatch(/^[0-9a-f]{64}$/);
  });
});
