import type { KnownPath } from '../../../layer/layer-paths.ts';
import type { Finding } from '../../report.ts';
import type { AddedEntry } from '../added-tree.ts';
import type { LintInput } from '../lint-input.ts';
import { moduleDirectory, modulesOfIndex } from '../kernel-paths.ts';
import { groupBy, namesOf } from '../words.ts';

/** Rules on what an entry takes the place of in the base: a directory, a link, or a file above it. */
export function baseRules(input: LintInput): Finding[] {
  const { tree, findInBase } = input;
  const indexed = indexedDirectories(input);
  const inBase = (path: string): KnownPath | undefined => {
    if (tree.removes(path)) return undefined;
    const known = findInBase(path);
    if (known !== 'absent' && known !== 'unknown') return known;
    return indexed.has(path) ? { kind: 'directory', sizeBytes: undefined } : undefined;
  };
  const clashes: { readonly at: string; readonly kind: string; readonly added: AddedEntry }[] = [];
  const seen = new Map<string, string | undefined>();
  /** The topmost parent that is no directory in the base. */
  const blockedBy = (path: string): string | undefined => {
    const slash = path.lastIndexOf('/');
    if (slash < 0) return undefined;
    const parent = path.slice(0, slash);
    if (seen.has(parent)) return seen.get(parent);
    const found = inBase(parent);
    const blocked =
      blockedBy(parent) ?? (found !== undefined && found.kind !== 'directory' ? parent : undefined);
    seen.set(parent, blocked);
    return blocked;
  };
  for (const [path, added] of tree.entries) {
    if (!/^(?:usr|etc)(?:\/|$)/.test(path)) continue;
    const { type } = added.entry;
    const blocked = blockedBy(path);
    const there = inBase(path);
    if (blocked !== undefined) clashes.push({ at: blocked, kind: 'parent', added });
    else if (there?.kind === 'directory' && type !== 'directory')
      clashes.push({ at: path, kind: 'directory', added });
    else if (there !== undefined && there.kind !== 'directory' && type === 'directory')
      clashes.push({ at: path, kind: 'parent', added });
    else if (there?.kind === 'symlink' && type !== 'symlink') clashes.push({ at: path, kind: 'link', added });
  }
  return [...groupBy(clashes, ({ at, kind }) => `${kind} ${at}`).values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [
          findingOf(
            first,
            group.map(({ added }) => added.entry.path),
          ),
        ];
  });
}

/** Directories that hold modules of the base, which its index tells where no layer was read that has them. */
function indexedDirectories({ kernel, baseKernel, baseIndexes }: LintInput): ReadonlySet<string> {
  const directories = new Set<string>();
  if (kernel !== baseKernel) return directories;
  for (const module of modulesOfIndex(baseIndexes.get('modules.dep'))) {
    const names = module.split('/').slice(0, -1);
    names.forEach((_, index) =>
      directories.add(moduleDirectory(kernel) + names.slice(0, index + 1).join('/')),
    );
  }
  return directories;
}

function findingOf(
  { at, kind, added }: { readonly at: string; readonly kind: string; readonly added: AddedEntry },
  paths: readonly string[],
): Finding {
  const place = { rule: 'replaces-base', path: paths[0], layer: added.layer.descriptor.digest };
  const below = paths.filter((path) => path !== at);
  switch (kind) {
    case 'parent':
      return {
        ...place,
        severity: 'error',
        message: `${at} is a file or a link in the base, and the layer makes a directory of it${below.length > 0 ? ` (for ${namesOf(below)})` : ''}: a node refuses the layer, and a container engine loses what the link led to`,
        hint: 'Write to the directory that the link leads to.',
      };
    case 'directory':
      return {
        ...place,
        severity: 'error',
        message: `${at} is a directory in the base: a node refuses the layer, and a container engine loses all that is in it`,
        hint: 'Put the file below the directory, or at another path.',
      };
    default:
      return {
        ...place,
        severity: 'warning',
        message: `${at} is a link in the base: the file takes its place, and what the link led to stays as it is`,
        hint: 'Write to what the link leads to, if that is what should change.',
      };
  }
}
