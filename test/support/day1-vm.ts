import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DebianRegistry, startDebianRegistry } from './debian-registry.ts';
import { type DebianKernel, listDebianKernels } from './kernels.ts';
import type { PlainFile } from './node-files.ts';
import { compileNodeModules, FIRMWARE, type NodeModules, pushKmodImage } from './node-images.ts';
import { makeNodeFactory, type NodeFactory, type NodeReport } from './node-vm.ts';
import { readWorld } from './world.ts';

/** Modules of the driver `dummy`, for a MachineConfig. */
export const DUMMY_MODULES = [
  { name: 'dummy', replaces: ['dummy'], parameters: { greeting: 'good day', level: '0x10' } },
  { name: 'dummy_extra' },
] as const;

/** Prints what only the kernel writes: `0x10` is 16 there, and `O` marks modules that are out of tree. */
export const SHOW_MODULES = `for module in dummy dummy_extra e1000e; do
  printf '%s version=%s taint=%s\\n' $module "$(cat /sys/module/$module/version)" "$(cat /sys/module/$module/taint)"
done 2>/dev/null
for file in /sys/module/dummy/parameters/*; do printf '%s=%s\\n' "\${file##*/}" "$(cat "$file")"; done
`;
export const OUT_OF_TREE = /^dummy version=2\.0 taint=O.*\ndummy_extra version=2\.0 taint=O/m;
export const IN_TREE = /^dummy version= taint=$/m;

/** Machines, a registry that they reach, and images in it. */
export interface Day1World {
  readonly factory: NodeFactory;
  readonly registry: DebianRegistry;
  /** The two kernels that the machines have, older first. */
  readonly kernels: readonly [DebianKernel, DebianKernel];
  readonly modulesOf: (kernelRelease: string) => NodeModules;
  /** Name of a repository of the registry as machines have it. */
  readonly repository: (name: string) => string;
  /** What machines need to pull: the registry's name, its CA, the node's pull secret. */
  readonly pullFiles: readonly PlainFile[];
  readonly close: () => Promise<void>;
}

/** Compiles modules, starts a registry and makes a disk. Takes about half a minute. */
export async function startDay1World(): Promise<Day1World> {
  const kernels = twoKernels();
  const registry = await startDebianRegistry({ isSecured: true });
  try {
    const modules = new Map<string, NodeModules>();
    for (const kernel of kernels) modules.set(kernel.release, await compileNodeModules(kernel));
    const factory = await makeNodeFactory(kernels.map(({ release }) => release));
    const host = `registry.test:${registry.host.split(':')[1] ?? ''}`;
    const modulesOf = (kernelRelease: string): NodeModules => {
      const found = modules.get(kernelRelease);
      if (found === undefined) throw new Error(`There are no modules for ${kernelRelease}`);
      return found;
    };
    return {
      factory,
      registry,
      kernels,
      modulesOf,
      repository: (name) => `${host}/${name}`,
      pullFiles: pullFiles(registry, host),
      close: async () => {
        factory.remove();
        await registry.close();
      },
    };
  } catch (error) {
    await registry.close();
    throw error;
  }
}

/** The image of the driver `dummy` for a kernel: two modules, indexes, firmware; its name is made of `kernelRelease`. */
export function pushDummyImage(
  { registry, modulesOf }: Pick<Day1World, 'registry' | 'modulesOf'>,
  kernel: DebianKernel,
  options: { readonly repository?: string; readonly kernelRelease?: string } = {},
): Promise<string> {
  const { dummy, dummyExtra } = modulesOf(kernel.release);
  const { repository = 'acme/dummy', kernelRelease = kernel.release } = options;
  return pushKmodImage({
    registry,
    repository,
    tag: kernelRelease.replaceAll('+', '_'),
    kernelRelease,
    ...(kernelRelease === kernel.release ? { indexesFor: kernel } : {}),
    modules: { 'extra/dummy.ko': dummy, 'extra/dummy_extra.ko': dummyExtra },
    firmware: { 'kmodlayer/dummy.bin': FIRMWARE },
  });
}

/** The image of the driver of the network card, without indexes. */
export function pushNicImage(
  { registry, modulesOf }: Pick<Day1World, 'registry' | 'modulesOf'>,
  kernel: DebianKernel,
): Promise<string> {
  return pushKmodImage({
    registry,
    repository: 'acme/e1000e',
    tag: `for-${kernel.release}`,
    kernelRelease: kernel.release,
    modules: { 'updates/e1000e.ko': modulesOf(kernel.release).e1000e },
  });
}

/** Changes a byte of the layer of an image that was pushed, as a broken disk of a registry does. */
export function spoilLayer({ storage }: DebianRegistry, manifestDigest: string): void {
  const blobOf = (digest: string): string => {
    const hex = digest.slice('sha256:'.length);
    return join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  };
  const manifest = JSON.parse(readFileSync(blobOf(manifestDigest), 'utf8')) as {
    layers: readonly { readonly digest: string }[];
  };
  const file = blobOf(manifest.layers[0]?.digest ?? '');
  const bytes = readFileSync(file);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(file, bytes);
}

/** Property of a unit in a report, for instance `ActiveState`. */
export function unitOf(report: NodeReport, unit: string, property: string): string {
  return report.units.get(unit)?.[property] ?? `${unit} has no ${property}`;
}

/** When a line of the journal was written, in seconds since the kernel started; NaN when there is none. */
export function timeOf(journal: NodeReport['journal'], text: string | RegExp): number {
  const line = journal.find((one) =>
    typeof text === 'string' ? one.text.includes(text) : text.test(one.text),
  );
  return line?.at ?? Number.NaN;
}

export function textOf(journal: NodeReport['journal']): string {
  return journal.map(({ text }) => text).join('\n');
}

function twoKernels(): readonly [DebianKernel, DebianKernel] {
  const world = readWorld();
  const [older, newer] = world.kernels.flatMap((release) =>
    listDebianKernels().filter((kernel) => kernel.release === release),
  );
  if (older === undefined || newer === undefined) throw new Error('The world has no two kernels');
  return [older, newer];
}

function pullFiles(registry: DebianRegistry, host: string): readonly PlainFile[] {
  const { auths } = JSON.parse(readFileSync(registry.authFile ?? '', 'utf8')) as {
    auths: Readonly<Record<string, object>>;
  };
  const secret = JSON.stringify({ auths: { [host]: auths[registry.host] } });
  return [
    { path: '/etc/hosts', contents: '127.0.0.1 localhost node\n10.0.2.2 registry.test\n' },
    { path: `/etc/containers/certs.d/${host}/ca.crt`, contents: readFileSync(registry.caFile ?? '') },
    { path: '/var/lib/kubelet/config.json', contents: secret, mode: 0o600 },
  ];
}
