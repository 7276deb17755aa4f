import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Day1Options } from '../../src/manifests/day1/options.ts';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { machineConfigParts } from '../manifests/day1/machine-config-parts.ts';
import { applyFiles, type Day1Node, makeDay1Node, pushImage } from '../support/day1-node.ts';
import { readWorld, startWorldRegistry, type WorldRegistry } from '../support/world.ts';

const KERNEL = '6.1.0-56-amd64+rt';
const { host } = readWorld();
const KMODS = `${host}/day1/hello`;
const WORKER = `${host}/day1/worker:1`;
const MODULES = `opt/lib/modules/${KERNEL}/extra`;

// It does what the worker of KMM is asked to do, as far as one can see it: it needs its configuration and the modules.
const WORKER_SCRIPT = `#!/bin/busybox sh
echo "worker $*"
/bin/busybox cat "$3"
/bin/busybox find /tmp/opt -name '*.ko'
/bin/busybox test ! -e /tmp/opt/refuse || exit 3
`;

let registry: WorldRegistry;
let node: Day1Node;
let digest = '';

beforeAll(async () => {
  registry = await startWorldRegistry();
  const builder = makeDay1Node({ kernel: KERNEL, registry: host });
  const module = (name: string): Buffer => readFileSync(`fixtures/quickstart/modules/${name}.ko`);
  const files = {
    [`${MODULES}/kl_base.ko`]: module('kl_base'),
    [`${MODULES}/kl-hello.ko`]: module('kl_hello'),
    'firmware/acme/one.bin': 'firmware',
  };
  digest = pushImage(builder, `${KMODS}:6.1.0-56-amd64_rt`, { files });
  pushImage(builder, `${KMODS}:refused`, { files: { ...files, 'opt/refuse': '' } });
  pushImage(builder, `${KMODS}:own`, {
    files: {
      'usr/bin/load.sh': '#!/bin/busybox sh\necho own load\n',
      'usr/bin/unload.sh': '#!/bin/busybox sh\necho own unload\nexit 4\n',
    },
  });
  pushImage(builder, WORKER, { files: { 'bin/worker': WORKER_SCRIPT }, entrypoint: '/bin/worker' });
  builder.remove();
});

afterAll(async () => {
  await registry.stop();
});

beforeEach(() => {
  node = makeDay1Node({ kernel: KERNEL, registry: host });
});

afterEach(() => {
  node.remove();
});

describe('Scripts for KMM', () => {
  const options = {
    name: '99-hello',
    pool: 'worker',
    loader: 'kmm',
    module: 'kl_hello',
    workerImage: WORKER,
  } as const;

  /** The script of one of the two units, with the environment that the unit gives it. */
  function start(
    what: 'pull-kernel-module-image' | 'replace-kernel-module',
    more: Partial<Day1Options> = {},
  ) {
    const machineConfig = makeDay1MachineConfig({ ...options, image: KMODS, ...more });
    applyFiles(node, machineConfig);
    const unit = `${machineConfig.metadata.name}-${what}.service`;
    return node.run(`/usr/local/bin/${what}.sh`, [], {
      ...machineConfigParts(machineConfig).environment(unit),
      AUTH_FILE: registry.authFile,
      WORKER_CONFIG_FILEPATH: join(node.root, 'var/lib/kmm_day1_config.yaml'),
      FIRMWARE_DIRECTORY: join(node.root, 'var/lib/firmware'),
    });
  }

  it('pull the image of the kernel once, and reboot once', async () => {
    const first = await start('pull-kernel-module-image');

    expect(first).toMatchObject({ code: 0, output: expect.stringContaining('rebooting') as string });
    expect(node.calls()).toEqual(['systemctl reboot']);
    node.podman('image', 'exists', `${KMODS}:6.1.0-56-amd64_rt`);
    node.forgetCalls();
    const second = await start('pull-kernel-module-image');
    expect(second).toMatchObject({ code: 0, output: expect.stringContaining('is here') as string });
    expect(node.calls()).toEqual([]);
  });

  it('take a digest as it is, and do not reboot when that is not wanted', async () => {
    const pulled = await start('pull-kernel-module-image', {
      image: `${KMODS}@${digest}`,
      activation: 'next-boot',
    });

    expect(pulled.code).toBe(0);
    node.podman('image', 'exists', `${KMODS}@${digest}`);
    expect(node.calls()).toEqual([]);
  });

  it('share one reboot when two units pull', async () => {
    const ended = await Promise.all([
      start('pull-kernel-module-image'),
      start('pull-kernel-module-image', { name: '99-other', image: `${KMODS}:refused` }),
    ]);

    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    expect(node.calls()).toEqual(['systemctl reboot']);
    expect(readdirSync(join(node.root, 'run/kmm'))).not.toContain('99-hello.pulling');
  });

  it('give up in time, say so, and do not reboot', async () => {
    const since = Date.now();
    const pulled = await start('pull-kernel-module-image', {
      image: `${KMODS}:missing`,
      pullTimeoutSeconds: 26,
    });

    expect(pulled.code).toBe(1);
    expect(pulled.output).toContain(`Cannot pull ${KMODS}:missing yet; the next try is in 1 s`);
    expect(pulled.output).toContain(`Cannot pull ${KMODS}:missing: gave up after 6 s`);
    expect(Date.now() - since).toBeLessThan(26_000);
    expect(node.calls()).toEqual([]);
  });

  it('wait for a registry that is down', async () => {
    node.setRegistryUp(false);
    const pulling = start('pull-kernel-module-image');
    await sleep(3_000);
    node.setRegistryUp(true);

    const { code, output } = await pulling;

    expect(output).toContain('the next try is in');
    expect(code).toBe(0);
    expect(node.calls()).toEqual(['systemctl reboot']);
  });

  it('go on with the in-tree modules as long as there is no image', async () => {
    const replaced = await start('replace-kernel-module');

    expect(replaced).toMatchObject({ code: 0, output: expect.stringContaining('is not here') as string });
    expect(node.calls()).toEqual([]);
  });

  it('hand the worker its configuration, the modules and the firmware, and leave no container', async () => {
    const more = {
      parameters: { greeting: 'a b', x: "it's" },
      replaces: ['kl_old'],
      firmware: '/firmware',
    };
    await start('pull-kernel-module-image');
    node.podman('create', '--name', 'kmm-day1-99-hello', '--entrypoint', '/bin/sh', WORKER);

    const { code, output } = await start('replace-kernel-module', more);

    expect(output).toContain(
      `worker kmod load /etc/kmm-worker/config.yaml --firmware-path ${node.root}/var/lib/firmware`,
    );
    expect(output).toContain(`/tmp/${MODULES}/kl-hello.ko`);
    expect(code).toBe(0);
    expect(parse(readFileSync(join(node.root, 'var/lib/kmm_day1_config.yaml'), 'utf8'))).toEqual({
      containerImage: `${KMODS}:6.1.0-56-amd64_rt`,
      inTreeModulesToRemove: ['kl_old'],
      modprobe: {
        dirName: '/opt',
        moduleName: 'kl_hello',
        firmwarePath: '/firmware',
        parameters: ['greeting=a b', "x=it's"],
      },
    });
    expect(node.podman('ps', '--all', '--quiet')).toBe('');
  });

  it('fail when the worker does, with the in-tree modules back', async () => {
    const more = { image: `${KMODS}:refused`, replaces: ['kl_old', 'kl_never'] };
    await start('pull-kernel-module-image', more);
    node.forgetCalls();
    node.setLoaded('kl_old');

    const { code, output } = await start('replace-kernel-module', more);

    expect(code).toBe(3);
    expect(output).toContain('the worker ended with 3');
    expect(node.calls()).toEqual(['modprobe kl_old']);
  });
});

describe('wait-for-dispatcher.sh', () => {
  const state = (load: string, active: string, since: number): string =>
    `LoadState=${load}\nActiveState=${active}\nInactiveEnterTimestampMonotonic=${since}\n`;

  it.each([
    ['has run', state('loaded', 'inactive', 5), /^$/],
    ['is not there', state('not-found', 'inactive', 0), /^$/],
    ['never ran', state('loaded', 'inactive', 0), /has not run yet; going on/],
    ['runs', state('loaded', 'active', 5), /has not run yet; going on/],
  ])('waits no longer than needed for a dispatcher that %s', async (_, text, output) => {
    const options = { name: 'a', pool: 'worker', loader: 'kmm', image: KMODS, module: 'a' } as const;
    applyFiles(node, makeDay1MachineConfig(options));
    writeFileSync(join(node.root, 'systemctl'), text);

    const waited = await node.run('/usr/local/bin/wait-for-dispatcher.sh', [], {
      DISPATCHER_TIMEOUT_SECONDS: '1',
    });

    expect(waited).toEqual({ code: 0, output: expect.stringMatching(output) as string });
  });
});

describe.each(['sro', 'kvc'] as const)('Scripts for %s', (loader) => {
  /** What the unit of the driver runs. */
  async function act(
    verb: 'load' | 'unload',
    image: string | Readonly<Record<string, string>>,
    more: object = {},
  ) {
    const driver = {
      name: 'hello',
      image,
      modules: [{ name: 'kl_hello', parameters: { greeting: "it's a", x: '1' }, replaces: ['kl_old'] }],
      softdeps: [{ module: 'kl_hello', pre: ['kl_pre'], post: ['kl_post'] }],
      firmware: '/firmware',
    };
    const options = {
      ...{ name: '99-hello', pool: 'worker', loader, drivers: [driver], authFile: registry.authFile },
      ...more,
      firmwareDirectory: '/var/lib/firmware',
    };
    applyFiles(node, makeDay1MachineConfig(options));
    const settings = join(node.root, loader === 'kvc' ? 'etc/kvc' : 'etc/kmodlayer', 'hello.conf');
    // The node is a directory here; the place of the firmware is one in it.
    writeFileSync(
      settings,
      readFileSync(settings, 'utf8').replace("'/var/lib/firmware'", `'${node.root}/var/lib/firmware'`),
    );
    if (loader === 'sro') {
      return node.run('/usr/local/bin/hello', [verb, typeof image === 'string' ? image : '-']);
    }
    const program = '/usr/local/bin/kmods-via-containers';
    const built = await node.run(program, ['build', 'hello', KERNEL]);
    return built.code === 0 ? node.run(program, [verb, 'hello', KERNEL]) : built;
  }

  it('load modules after what they need, with parameters and firmware, and take all of it back', async () => {
    node.setLoaded('kl_old');

    const loaded = await act('load', KMODS);

    expect(loaded.code, loaded.output).toBe(0);
    const calls = node.calls().map((call) => call.replace(/ \/\S*\//, ' '));
    expect(calls).toEqual([
      'modprobe -r kl_old',
      'modprobe kl_pre',
      'insmod kl_base.ko',
      'insmod kl-hello.ko greeting="it\'s a" x=1',
      'modprobe kl_post',
    ]);
    expect(readFileSync(join(node.root, 'var/lib/firmware/acme/one.bin'), 'utf8')).toBe('firmware');
    const path = join(node.root, 'sys/module/firmware_class/parameters/path');
    expect(readFileSync(path, 'utf8')).toBe(join(node.root, 'var/lib/firmware'));
    node.forgetCalls();
    const unloaded = await act('unload', KMODS);
    expect(unloaded.code, unloaded.output).toBe(0);
    expect(node.calls()).toEqual(['rmmod kl_hello', 'modprobe kl_old']);
  });

  it('take an in-tree module of the same name away without being told, and leave one that is not in-tree', async () => {
    node.setLoaded('kl_hello');

    const loaded = await act('load', KMODS);

    expect(loaded.code, loaded.output).toBe(0);
    expect(node.calls()[0]).toBe('modprobe -r kl_hello');
    expect(node.calls().join()).toContain('kl-hello.ko');
    node.forgetCalls();
    writeFileSync(join(node.root, 'sys/module/kl_hello/taint'), 'OE\n');
    const again = await act('load', KMODS);
    expect(again.output).toContain('kl_hello is loaded already and stays as it is');
    expect(node.calls().join()).not.toContain('modprobe -r');
  });

  it('leave all as it was when a module is refused', async () => {
    node.remove();
    node = makeDay1Node({ kernel: KERNEL, registry: host, failing: { 'insmod kl-hello': 1 } });
    node.setLoaded('kl_old');

    const { code } = await act('load', { [KERNEL]: `${KMODS}@${digest}` });

    expect(code).not.toBe(0);
    expect(node.calls().slice(-2)).toEqual(['rmmod kl_base', 'modprobe kl_old']);
    expect(existsSync(join(node.root, 'sys/module/kl_base'))).toBe(false);
    expect(node.podman('image', 'mount').trim()).toBe('');
  });

  it('say that there is no image for a kernel', async () => {
    const { code, output } = await act('load', { '6.1.0-55-amd64': `${KMODS}@${digest}` });

    expect(code).toBe(1);
    expect(output).toContain(`There is no image for the kernel ${KERNEL}`);
  });

  it('give up a pull in time', async () => {
    const { code, output } = await act('load', `${KMODS}:missing`, { pullTimeoutSeconds: 3 });

    expect(code).toBe(1);
    expect(output).toContain('gave up after 3 s');
    expect(node.calls()).toEqual([]);
  });

  it('run the scripts of images that bring their own', async () => {
    const loaded = await act('load', `${KMODS}:own`);
    const unloaded = await act('unload', `${KMODS}:own`);

    expect(loaded).toMatchObject({ code: 0, output: expect.stringContaining('own load') as string });
    expect(unloaded).toMatchObject({ code: 4, output: expect.stringContaining('own unload') as string });
    expect(node.podman('ps', '--all', '--quiet')).toBe('');
  });
});

describe('kmods-via-containers', () => {
  it('runs libraries that others wrote, with the helpers and variables that they know', async () => {
    applyFiles(
      node,
      makeDay1MachineConfig({ name: 'a', pool: 'worker', loader: 'kvc', image: KMODS, module: 'a' }),
    );
    mkdirSync(join(node.root, 'usr/local/lib/kvc'), { recursive: true });
    writeFileSync(
      join(node.root, 'usr/local/lib/kvc/theirs-lib.sh'),
      'build_kmods() { echo "build $KVC_SOFTWARE_NAME $KVC_KVER $KVC_ACTION $KVC_CONTAINER_RUNTIME"; kvc_c_images --quiet; }\n' +
        'load_kmods() { echo load; }\nunload_kmods() { echo unload; }\nwrapper() { echo "wrapper $*"; }\n',
    );
    const program = '/usr/local/bin/kmods-via-containers';

    const reloaded = await node.run(program, ['reload', 'theirs', KERNEL]);
    const wrapped = await node.run(program, ['wrapper', 'theirs', KERNEL, 'spkut', '-a b']);
    const wrong = await node.run(program, ['load', '../theirs', KERNEL]);
    const missing = await node.run(program, ['load', 'nobody', KERNEL]);

    expect(reloaded).toEqual({ code: 0, output: `build theirs ${KERNEL} reload podman\nunload\nload\n` });
    expect(wrapped).toEqual({ code: 0, output: 'wrapper spkut -a b\n' });
    expect(wrong.code).toBe(1);
    expect(missing.output).toContain('There is no library nobody-lib.sh');
  });
});
