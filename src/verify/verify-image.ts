import { ResolveError, SpecError } from '../errors.ts';
import { depmodConfig } from '../layer/merge-base.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import { notIndexed } from './checks/dependencies.ts';
import { archOf, otherKernel, reportOf, type VerifyImageRequest, type VerifyIo } from './image-report.ts';
import { kernelPathOf, moduleDirectory, moduleNames, modulesOfIndex } from './image/kernel-paths.ts';
import { type LintedImage, lintImage } from './image/lint-image.ts';
import { readLoadConfig } from './image/load-config.ts';
import type { OpenedLayers } from './image/open-layers.ts';
import { firmwarePaths } from './image/rules/module-rules.ts';
import { proveOnBase, type ProvenTree } from './prove-on-base.ts';
import type { ProvenTarget } from './proven-target.ts';
import type { ModuleReport } from './report.ts';
import { verifyKmodImage } from './verify-kmod-image.ts';
import type { TreeModule } from './verify-tree.ts';

/** What the module's own report says as well. */
const SAID_OF_MODULES: readonly string[] = ['module-built-in', 'module-shadowed', 'module-unreadable'];

/** Findings under which the image's indexes say nothing of its modules. */
const WITHOUT_INDEXES: readonly string[] = [
  'module-not-indexed',
  'index-unreadable',
  'index-without-file',
  'bin-differs',
];

/**
 * Verifies an image that others built: a layered OS image, by the rules of layers and the static proof of each module
 * that was added; or a kmod image, against the OS image that its modules are loaded on.
 *
 * @throws {SpecError} `USAGE` when nothing says where the base of an OS image ends, or the base named is another;
 *   {ResolveError} `KERNEL_UNKNOWN` or `ARCH_UNSUPPORTED` for an image that is none of the two, or whose
 *   kernel cannot be told; {OciError} and {RegistryError} when something cannot be had.
 */
export async function verifyImage(request: VerifyImageRequest, io: VerifyIo): Promise<ProvenTarget> {
  const { image, base, layers } = request;
  const linted = await lintImage(image, { base, layers }, io);
  if (linted.kind === 'kmod') return verifyKmodImage(request, linted, io);
  return linted.kind === 'os' ? verifyLayers(request, linted, io) : baseUnknown(request, linted);
}

async function verifyLayers(
  request: VerifyImageRequest,
  { opened, findings }: LintedImage & { kind: 'os' },
  io: VerifyIo,
): Promise<ProvenTarget> {
  const { kernel, base } = opened;
  const arch = archOf(request.image);
  if (kernel === undefined) throw kernelUnknown(request);
  const modules = modulesToProve(opened, kernel);
  const isIndexed = !findings.some(({ rule }) => WITHOUT_INDEXES.includes(rule));
  const directory = moduleDirectory(kernel);
  const proven = await proveOnBase(
    {
      image: base,
      kernel: { release: kernel, arch },
      modules,
      indexes: isIndexed || opened.expected?.kind !== 'merged' ? opened.indexes : mergedIndexes(opened),
      baseIndexes: opened.baseIndexes,
      depmodConfig: depmodConfig({ base: opened, ownConfig: ownDepmodConfig(opened) }),
      files: [
        ...modulesOfIndex(opened.baseIndexes.get('modules.dep')).filter(
          (path) => !opened.tree.removes(directory + path),
        ),
        ...modules.map(({ path }) => path),
      ],
      certificates: request.certificates,
      hasFirmware: (name) => hasFirmware(opened, name),
    },
    io,
  );
  const isLost = findings.some(({ rule }) => rule === 'module-not-indexed');
  const report = reportOf(request, { kernel, arch }, isLost ? withoutIndex(proven, opened) : proven, [
    ...(request.kernel === undefined || request.kernel === kernel
      ? []
      : [otherKernel(request.kernel, kernel)]),
    ...findings.filter(({ rule }) => !SAID_OF_MODULES.includes(rule)),
  ]);
  return { report, source: { type: 'image', image: request.image }, added: new Map() };
}

/** The modules that the layers add for the kernel, with the parameters that they will be loaded with. */
function modulesToProve(opened: OpenedLayers, kernel: KernelRelease): readonly TreeModule[] {
  const { parameters } = readLoadConfig(opened.tree.files);
  const paths = [...opened.modules.keys(), ...opened.unreadable.map(({ path }) => path)];
  return paths.flatMap((file) => {
    const place = kernelPathOf(file);
    const bytes = opened.moduleBytes.get(file) ?? opened.tree.files.get(file);
    if (place?.kernel !== kernel || bytes === undefined) return [];
    const name =
      place.path
        .slice(place.path.lastIndexOf('/') + 1)
        .split('.', 1)[0]
        ?.replaceAll('-', '_') ?? '';
    return [{ path: place.path, read: () => Promise.resolve(bytes), parameters: parameters.get(name) }];
  });
}

/**
 * Modules that depmod was not run for are proven as if it had been, so that all is said that is wrong with them; they
 * do not load as the image is.
 */
function withoutIndex(proven: ProvenTree, { indexes }: OpenedLayers): ProvenTree {
  const known = moduleNames(indexes.get('modules.dep'));
  const modules = proven.tree.modules.map((module): ModuleReport => {
    if (known.has(module.name)) return module;
    const checks = module.checks.map((check) => (check.id === 'dependencies' ? notIndexed() : check));
    return { ...module, verdict: 'fails', checks };
  });
  return { ...proven, tree: { ...proven.tree, modules } };
}

function mergedIndexes({ baseIndexes, expected }: OpenedLayers): ReadonlyMap<string, Uint8Array> {
  return new Map([...baseIndexes, ...(expected?.kind === 'merged' ? expected.files : [])]);
}

function ownDepmodConfig({ tree }: OpenedLayers): ReadonlyMap<string, Uint8Array> {
  return new Map([...tree.files].filter(([path]) => path.includes('/depmod.d/')));
}

/** Undefined while layers of the base that may hold it were not read. */
function hasFirmware({ tree, kernel, findInBase }: OpenedLayers, name: string): boolean | undefined {
  const places = firmwarePaths(name, kernel ?? '').map((path) => {
    if (tree.entries.has(path)) return true;
    const known = tree.removes(path) ? 'absent' : findInBase(path);
    return known === 'unknown' ? undefined : known !== 'absent';
  });
  return places.includes(true) ? true : places.includes(undefined) ? undefined : false;
}

/** What was added cannot be told from the base, so that nothing can be judged: what was asked has to change. */
function baseUnknown(
  { subject }: VerifyImageRequest,
  { findings }: LintedImage & { kind: 'unknown-base' },
): never {
  const [first, ...others] = findings;
  throw new SpecError('USAGE', `Cannot verify ${subject}: ${first?.message ?? ''}`, {
    hint: [first?.hint, ...others.map(({ message }) => `Also, ${message}.`)].filter(Boolean).join(' '),
  });
}

function kernelUnknown({ subject }: VerifyImageRequest): ResolveError {
  return new ResolveError('KERNEL_UNKNOWN', `Cannot tell the kernel of ${subject}: no layer holds one`, {
    hint: 'Check that this is an OS image: it must have usr/lib/modules/<kernel release>/vmlinuz.',
  });
}
