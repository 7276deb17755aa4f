import type { DriverBuild, DriverSource, FileSource, SourceTree } from './driver-set.ts';
import type { Spec } from './schema.ts';

type Entry = Spec['drivers'][number];
type SourceEntry = Entry['source'];

/** What a driver without `build` runs: Kbuild, with the source as the external module. */
const DEFAULT_COMMAND = 'make -C "/usr/src/kernels/$KERNEL_RELEASE" M="$PWD" modules';

/** The source of a driver. `crossCheck` has seen that exactly one is there. */
export function sourceOf(source: SourceEntry): DriverSource {
  const { dkms, srpm, rpm, image, module, files = [] } = source;
  if (srpm !== undefined) return { type: 'srpm', file: fileOf(srpm) };
  if (module !== undefined) return { type: 'module', path: module.file, name: module.name };
  if (image !== undefined) return { type: 'image', pattern: image };
  if (rpm !== undefined) {
    const [first, ...others] = (Array.isArray(rpm) ? rpm : [rpm]).map((one) => ({
      kernel: one.kernel,
      file: fileOf(one),
    }));
    if (first !== undefined) return { type: 'rpm', packages: [first, ...others] };
  }
  if (dkms !== undefined) return { type: 'dkms', tree: requireTree(dkms) };
  return treeOf(source) ?? { type: 'files', paths: files };
}

function requireTree(source: NonNullable<SourceEntry['dkms']>): SourceTree {
  const tree = treeOf(source);
  if (tree === undefined) throw new TypeError('A source without a tree has passed the checks');
  return tree;
}

function treeOf({ directory, git, archive }: NonNullable<SourceEntry['dkms']>): SourceTree | undefined {
  if (directory !== undefined) return { type: 'directory', path: directory };
  if (git !== undefined) return { type: 'git', url: git.url, ref: git.ref };
  if (archive === undefined) return undefined;
  return { type: 'archive', file: fileOf(archive), directory: archive.directory };
}

function fileOf({ url, file = '', sha256 }: NonNullable<SourceEntry['archive']>): FileSource {
  return { location: url === undefined ? { type: 'file', path: file } : { type: 'url', url }, sha256 };
}

/** How a source becomes modules; undefined when it has them already. */
export function buildOf(source: DriverSource, build: Entry['build']): DriverBuild | undefined {
  const { args = {}, secrets = [], output } = build ?? {};
  const inputs = { args, secrets, output };
  if (source.type === 'files' || source.type === 'rpm' || source.type === 'image') return undefined;
  if (source.type === 'module') return { type: 'module', ...inputs };
  if (source.type === 'dkms') return { type: 'dkms', workdir: build?.workdir, ...inputs };
  if (build?.containerfile !== undefined) {
    return { type: 'containerfile', path: build.containerfile, stage: build.stage, ...inputs };
  }
  return { type: 'run', command: build?.run ?? DEFAULT_COMMAND, workdir: build?.workdir, ...inputs };
}
