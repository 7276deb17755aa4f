import { ModuleError } from '../../../errors.ts';
import { moduleNameOfPath } from '../../../spec/module-name.ts';
import type { Finding } from '../../report.ts';
import { MODULE_FILE } from '../added-layer.ts';
import type { AddedTree } from '../added-tree.ts';
import { comparePair, dependencyIndex, PAIRS } from '../index-content.ts';
import { countOf, groupBy, namesOf } from '../words.ts';

/** A module in a kmod image: `<prefix>/lib/modules/<kernel>/<path>`, where `modprobe -d <prefix>` looks. */
export interface KmodImageModule {
  /** Path in the image. */
  readonly file: string;
  /** For instance `opt/lib/modules/5.14.0-427.el9_4.x86_64/`. */
  readonly directory: string;
  readonly kernel: string;
  /** Below `directory`. */
  readonly path: string;
}

const PLACE = /^(?<directory>(?:.+\/)?lib\/modules\/(?<kernel>[^/]+)\/)(?<path>.+)$/;

/** The modules of a kmod image, wherever its tree begins. */
export function kmodImageModules(tree: AddedTree): readonly KmodImageModule[] {
  return [...tree.files.keys()].flatMap((file) => {
    const { directory, kernel, path } = (MODULE_FILE.test(file) ? PLACE.exec(file)?.groups : undefined) ?? {};
    if (directory === undefined || kernel === undefined || path === undefined) return [];
    return [{ file, directory, kernel, path }];
  });
}

const RUN_DEPMOD =
  'Run depmod -b /opt for each kernel as the last step, with a link host -> /lib/modules/<kernel> beside the modules.';

/** Rules on kmod images, which KMM and Day 1 units load with `modprobe -d`. @see KMM, `internal/worker` */
export function kmodImageRules(tree: AddedTree): readonly Finding[] {
  const modules = kmodImageModules(tree);
  if (modules.length === 0) {
    return [
      {
        rule: 'kmod-image-empty',
        severity: 'error',
        message:
          'no file of the image is a module below <prefix>/lib/modules/<kernel>/: nothing can be loaded from it',
        hint: 'Put modules at /opt/lib/modules/<kernel>/, which is where KMM looks.',
      },
    ];
  }
  return [...groupBy(modules, ({ directory }) => directory)].flatMap(([directory, found]) =>
    treeRules(tree, directory, found),
  );
}

function treeRules(tree: AddedTree, directory: string, modules: readonly KmodImageModule[]): Finding[] {
  const binary = tree.files.get(`${directory}modules.dep.bin`);
  const layerOf = (path: string): string | undefined => tree.entries.get(path)?.layer.descriptor.digest;
  const finding = (rule: string, path: string, message: string, hint = RUN_DEPMOD): Finding => ({
    rule,
    severity: 'error',
    path,
    layer: layerOf(path),
    message,
    hint,
  });
  const first = modules[0]?.file ?? directory;
  if (binary === undefined) {
    return [
      finding(
        'kmod-image-not-indexed',
        first,
        `${directory} has no modules.dep.bin: modprobe -d finds none of its ${countOf(modules.length, 'module')}`,
      ),
    ];
  }
  const findings = PAIRS.flatMap((name): Finding[] => {
    const [text, bin] = [tree.files.get(directory + name), tree.files.get(`${directory}${name}.bin`)];
    if (text === undefined || bin === undefined) return [];
    try {
      const { onlyInText, onlyInBinary } = comparePair(name, text, bin);
      const keys = [...new Set([...onlyInText, ...onlyInBinary].map(({ key }) => key))];
      if (keys.length === 0) return [];
      return [
        finding(
          'bin-differs',
          `${directory}${name}.bin`,
          `${name}.bin says something else than ${name} about ${namesOf(keys)}: modprobe reads the binary form alone`,
        ),
      ];
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      return [
        finding(
          'index-unreadable',
          `${directory}${name}.bin`,
          `${error.message}: modprobe finds nothing by it`,
        ),
      ];
    }
  });
  if (findings.some(({ rule }) => rule === 'index-unreadable')) return findings;
  const index = dependencyIndex(binary);
  const hasHost = tree.entries.get(`${directory}host`)?.entry.type === 'symlink';
  const absent = modules.filter(({ path }) => index.get(moduleNameOfPath(path))?.path !== path);
  if (absent[0] !== undefined) {
    findings.push(
      finding(
        'module-not-indexed',
        absent[0].file,
        `no index names ${namesOf(absent.map(({ path }) => path))}: modprobe -d does not find ${absent.length === 1 ? 'it' : 'them'}`,
      ),
    );
  }
  const missing = new Set<string>();
  for (const { path, needs } of index.values())
    for (const one of [path, ...needs])
      if (!(hasHost && one.startsWith('host/')) && !tree.entries.has(directory + one)) missing.add(one);
  if (missing.size > 0) {
    findings.push(
      finding(
        'index-without-file',
        `${directory}modules.dep.bin`,
        `the indexes name ${countOf(missing.size, 'file')} that the image does not have (${namesOf([...missing])}): modprobe fails on all that needs ${missing.size === 1 ? 'it' : 'them'}`,
        [...missing].every((path) => path.startsWith('host/'))
          ? 'Keep the link host -> /lib/modules/<kernel> that was there when depmod ran.'
          : RUN_DEPMOD,
      ),
    );
  }
  return findings;
}
