import { ModuleError } from '../../../errors.ts';
import { moduleNameOfPath } from '../../../spec/module-name.ts';
import type { Finding } from '../../report.ts';
import { MODULE_FILE } from '../added-layer.ts';
import { comparePair, dependencyIndex, PAIRS } from '../index-content.ts';
import { kernelPathOf, moduleDirectory, modulesOfIndex } from '../kernel-paths.ts';
import type { LintInput } from '../lint-input.ts';
import { countOf, namesOf } from '../words.ts';
import { notFromDepmod } from './depmod-rule.ts';

const RUN_DEPMOD =
  'Run depmod -a for the kernel of the image as the last step, or add the modules with kmodlayer.';

/**
 * Rules on the indexes that modprobe finds modules with: they name what is there, all of it, and text and binary form
 * say the same.
 */
export function indexRules(input: LintInput): Finding[] {
  const { kernel, tree } = input;
  if (kernel === undefined || !isTouched(input)) return [];
  const directory = moduleDirectory(kernel);
  const binary = input.indexes.get('modules.dep.bin');
  if (binary === undefined) {
    if (tree.layers.length === 0) return [];
    return [
      {
        rule: 'index-unreadable',
        severity: 'error',
        path: `${directory}modules.dep.bin`,
        message: 'the image has no modules.dep.bin for its kernel: modprobe finds no module at all',
        hint: RUN_DEPMOD,
      },
    ];
  }
  const pairs = PAIRS.flatMap((name) => pairDiffers(input, name));
  const found = read(() => dependencyIndex(binary));
  if (found === undefined) return pairs;
  const missing = notIndexed(input, found);
  const findings = [...pairs, ...missing, ...withoutFile(input, found)];
  // What depmod would have written differs anyhow when it was not run.
  return findings.length > 0 ? findings : notFromDepmod(input, found);
}

type Found = ReturnType<typeof dependencyIndex>;

/** The base's own indexes are the distribution's business, as long as nothing below them changes. */
function isTouched({ tree, kernel }: LintInput): boolean {
  const directory = moduleDirectory(kernel);
  const isBelow = (path: string): boolean => path.startsWith(directory);
  return (
    [...tree.entries.keys()].some(
      (path) => isBelow(path) && (MODULE_FILE.test(path) || /\/modules\.[a-z.]+$/.test(path)),
    ) || tree.removed.some(({ path }) => isBelow(path) || `${path}/` === directory)
  );
}

function pairDiffers({ kernel, tree, indexes }: LintInput, name: (typeof PAIRS)[number]): Finding[] {
  const directory = moduleDirectory(kernel);
  const path = `${directory}${name}.bin`;
  const [text, binary] = [indexes.get(name), indexes.get(`${name}.bin`)];
  const isOurs = tree.files.has(directory + name) || tree.files.has(path);
  if (!isOurs || text === undefined || binary === undefined) return [];
  const layer = (tree.entries.get(path) ?? tree.entries.get(directory + name))?.layer.descriptor.digest;
  try {
    const { onlyInText, onlyInBinary } = comparePair(name, text, binary);
    if (onlyInText.length + onlyInBinary.length === 0) return [];
    const keys = [...new Set([...onlyInText, ...onlyInBinary].map(({ key }) => key))];
    return [
      {
        rule: 'bin-differs',
        severity: 'error',
        path,
        layer,
        message: `${name}.bin says something else than ${name} about ${namesOf(keys)}: modprobe reads the binary form alone, and does not see what was changed in the text`,
        hint: RUN_DEPMOD,
      },
    ];
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    return [
      {
        rule: 'index-unreadable',
        severity: 'error',
        path,
        layer,
        message: `${error.message}: modprobe finds nothing by ${name === 'modules.dep' ? 'name' : 'alias'}`,
        hint: RUN_DEPMOD,
      },
    ];
  }
}

function notIndexed({ kernel, tree }: LintInput, found: Found): Finding[] {
  const absent: string[] = [];
  const findings: Finding[] = [];
  for (const [path, { entry, layer }] of tree.entries) {
    const place = entry.type !== 'directory' && MODULE_FILE.test(path) ? kernelPathOf(path) : undefined;
    if (place?.kernel !== kernel || place === undefined) continue;
    const indexed = found.get(moduleNameOfPath(path))?.path;
    if (indexed === place.path) continue;
    if (indexed === undefined) absent.push(path);
    else {
      findings.push({
        rule: 'module-shadowed',
        severity: 'warning',
        path,
        layer: layer.descriptor.digest,
        message: `the indexes name ${indexed} for ${moduleNameOfPath(path)}: modprobe loads that file, and never this one`,
        hint: 'Remove one of the two, or name the one that counts in depmod.d with an override line, and run depmod.',
      });
    }
  }
  const [first] = absent;
  if (first === undefined) return findings;
  return [
    {
      rule: 'module-not-indexed',
      severity: 'error',
      path: first,
      layer: tree.entries.get(first)?.layer.descriptor.digest,
      message: `no index names ${countOf(absent.length, 'module')} (${namesOf(absent.map(moduleNameOfPath))}): modprobe says "Module not found", and nothing loads ${absent.length === 1 ? 'it' : 'them'}`,
      hint: RUN_DEPMOD,
    },
    ...findings,
  ];
}

function withoutFile({ kernel, tree, baseIndexes, findInBase }: LintInput, found: Found): Finding[] {
  const directory = moduleDirectory(kernel);
  const inBase = new Set(modulesOfIndex(baseIndexes.get('modules.dep')));
  const isThere = (path: string): boolean => {
    if (path.startsWith('/') || tree.entries.has(directory + path)) return true;
    if (tree.removes(directory + path)) return false;
    if (inBase.has(path)) return true;
    const known = findInBase(directory + path);
    return known !== 'absent' && known !== 'unknown';
  };
  const missing = new Set<string>();
  for (const { path, needs } of found.values())
    for (const one of [path, ...needs]) if (!isThere(one)) missing.add(one);
  const [first] = missing;
  if (first === undefined) return [];
  return [
    {
      rule: 'index-without-file',
      severity: 'error',
      path: directory + first,
      layer: tree.entries.get(`${directory}modules.dep.bin`)?.layer.descriptor.digest,
      message: `the indexes name ${countOf(missing.size, 'file')} that the image does not have (${namesOf([...missing])}): modprobe fails on ${missing.size === 1 ? 'it' : 'them'}, and on all that needs ${missing.size === 1 ? 'it' : 'them'}`,
      hint: 'Add the files, or run depmod -a after they were removed; indexes of another tree, such as that of a driver-toolkit, do not fit.',
    },
  ];
}

function read<T>(reading: () => T): T | undefined {
  try {
    return reading();
  } catch (error) {
    if (error instanceof ModuleError) return undefined;
    throw error;
  }
}
