import { plain } from './error-text.ts';

/** A leaf of a tree: what stands at a path. */
export interface TreeLeaf {
  readonly path: string;
  /** Stands before the name, for instance `+`. */
  readonly mark: string;
  /** Stands after the name, in columns. */
  readonly columns: readonly string[];
}

interface Directory {
  readonly directories: Map<string, Directory>;
  readonly leaves: Map<string, TreeLeaf>;
}

interface Line {
  readonly text: string;
  readonly columns: readonly string[];
}

/** Names longer than this do not push the columns of all others to the right. */
const MAX_NAME_WIDTH = 64;

/**
 * Leaves as a tree, with directories that hold a single directory drawn as one.
 *
 * @param totalOf Says what stands beside a directory, from the leaves below it.
 */
export function treeText(
  leaves: readonly TreeLeaf[],
  totalOf: (leaves: readonly TreeLeaf[]) => string,
): string {
  const root = makeDirectory();
  for (const leaf of leaves) insert(root, leaf);
  const lines = linesOf(root, '', totalOf);
  const width = Math.min(MAX_NAME_WIDTH, Math.max(0, ...lines.map(({ text }) => text.length)));
  const widths = columnWidths(lines);
  return lines
    .map(({ text, columns }) => {
      const cells = columns.map((cell, at) =>
        at === 0 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
      );
      return `${[text.padEnd(width), ...cells].join('  ').trimEnd()}\n`;
    })
    .join('');
}

function makeDirectory(): Directory {
  return { directories: new Map(), leaves: new Map() };
}

function insert(root: Directory, leaf: TreeLeaf): void {
  const parts = leaf.path.split('/');
  const name = parts.pop() ?? '';
  let at = root;
  for (const part of parts) {
    const next = at.directories.get(part) ?? makeDirectory();
    at.directories.set(part, next);
    at = next;
  }
  at.leaves.set(name, leaf);
}

function linesOf(
  directory: Directory,
  indent: string,
  totalOf: (leaves: readonly TreeLeaf[]) => string,
): readonly Line[] {
  const children = [
    ...[...directory.directories].map(([name, child]) => ({ name, child, leaf: undefined })),
    ...[...directory.leaves].map(([name, leaf]) => ({ name, child: undefined, leaf })),
  ].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return children.flatMap(({ name, child, leaf }, at) => {
    const isLast = at === children.length - 1;
    const branch = `${indent}${isLast ? '└── ' : '├── '}`;
    if (leaf !== undefined) return [{ text: `${branch}${leaf.mark} ${plain(name)}`, columns: leaf.columns }];
    const [path, inner] = collapsed(name, child);
    return [
      { text: `${branch}${plain(path)}/`, columns: [totalOf(leavesBelow(inner))] },
      ...linesOf(inner, `${indent}${isLast ? '    ' : '│   '}`, totalOf),
    ];
  });
}

/** Goes down as long as there is nothing but one directory. */
function collapsed(name: string, directory: Directory): readonly [string, Directory] {
  const [only] = directory.directories;
  if (only === undefined || directory.directories.size > 1 || directory.leaves.size > 0)
    return [name, directory];
  return collapsed(`${name}/${only[0]}`, only[1]);
}

function leavesBelow({ directories, leaves }: Directory): readonly TreeLeaf[] {
  return [...leaves.values(), ...[...directories.values()].flatMap(leavesBelow)];
}

function columnWidths(lines: readonly Line[]): readonly number[] {
  const count = Math.max(0, ...lines.map(({ columns }) => columns.length));
  return Array.from({ length: count }, (_, at) =>
    Math.max(
      0,
      ...lines.map(({ columns }) => (at === columns.length - 1 && at > 0 ? 0 : (columns[at] ?? '').length)),
    ),
  );
}
