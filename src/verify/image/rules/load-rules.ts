import { listModinfo } from '../../../kmod/module.ts';
import { moduleNameOfPath } from '../../../spec/module-name.ts';
import type { Finding } from '../../report.ts';
import { MODULE_FILE } from '../added-layer.ts';
import { keysOfIndex } from '../index-content.ts';
import { kernelPathOf, moduleNames } from '../kernel-paths.ts';
import type { LintInput } from '../lint-input.ts';
import { type ConfigLine, readLoadConfig } from '../load-config.ts';
import { groupBy, namesOf } from '../words.ts';

/** Rules on what loads modules, or keeps them from being loaded: modules-load.d and modprobe.d. */
export function loadRules(input: LintInput): Finding[] {
  const { tree, modules } = input;
  const { loads, blacklists, mentions, aliases } = readLoadConfig(tree.files);
  const isKnown = knownNames(input, aliases);
  const loaded = new Set(loads.map(({ module }) => module));
  const withAliases = new Set(
    [...modules]
      .filter(([, module]) => listModinfo(module, 'alias').length > 0)
      .map(([path]) => moduleNameOfPath(path)),
  );
  const findingOf =
    (finding: (module: string) => Omit<Finding, 'path' | 'layer'>) =>
    ({ path, module }: ConfigLine): Finding => ({
      ...finding(module),
      path,
      layer: tree.entries.get(path)?.layer.descriptor.digest,
    });
  const found = [
    ...loads
      .filter(({ module }) => isKnown(module) === false)
      .map(
        findingOf((module) => ({
          rule: 'loads-unknown-module',
          severity: 'error',
          message: `the image has no module ${module}: systemd-modules-load.service fails at each boot`,
          hint: 'Write the name that modinfo shows, or add the module.',
        })),
      ),
    ...blacklists.flatMap((line) => {
      if (loaded.has(line.module)) {
        return findingOf((module) => ({
          rule: 'blacklists-autoloaded',
          severity: 'error',
          message: `${module} is blacklisted, and modules-load.d names it: systemd leaves blacklisted modules out, and it is not loaded at boot`,
          hint: 'Remove one of the two lines.',
        }))(line);
      }
      if (!withAliases.has(line.module)) return [];
      return findingOf((module) => ({
        rule: 'blacklists-autoloaded',
        severity: 'warning',
        message: `${module} is blacklisted, and a layer adds it: it is not loaded when its hardware is found, only by name`,
        hint: `Name ${module} in modules-load.d without the blacklist, or remove the line.`,
      }))(line);
    }),
  ];
  const unknown = mentions.filter(({ module }) => isKnown(module) === false);
  const byLine = groupBy(unknown, ({ path, command }) => `${command} ${path}`);
  return [
    ...found,
    ...[...byLine.values()].flatMap((lines) => {
      const [first] = lines;
      if (first === undefined) return [];
      const names = namesOf([...new Set(lines.map(({ module }) => module))]);
      return findingOf(() => ({
        rule: 'configures-unknown-module',
        severity: 'warning',
        message: `a line "${first.command}" names ${names}, which the image does not have: it does nothing`,
        hint: 'Write the name that modinfo shows.',
      }))(first);
    }),
  ];
}

/** Says whether something can be loaded by a name; undefined when the image's indexes are not known. */
function knownNames(
  { indexes, tree, kernel }: LintInput,
  aliases: ReadonlySet<string>,
): (name: string) => boolean | undefined {
  const dep = indexes.get('modules.dep');
  if (dep === undefined) return () => undefined;
  const names = moduleNames(dep);
  const builtin = keysOfIndex(indexes.get('modules.builtin.bin'));
  const there = new Set(
    [...tree.entries.keys()].flatMap((path) =>
      MODULE_FILE.test(path) && kernelPathOf(path)?.kernel === kernel ? [moduleNameOfPath(path)] : [],
    ),
  );
  const known = [
    keysOfIndex(indexes.get('modules.alias.bin')),
    keysOfIndex(indexes.get('modules.builtin.alias.bin')),
  ];
  return (name) =>
    names.has(name) ||
    builtin.has(name) ||
    there.has(name) ||
    aliases.has(name) ||
    known.some((keys) => keys.has(name));
}
