import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** One import of one file. */
export interface Import {
  /** Path from the top of the repository, such as `src/sign/sign.ts`. */
  readonly from: string;
  /** The same for files of ours; the specifier for packages and `node:` modules. */
  readonly to: string;
  /** Vanishes when types are stripped. */
  readonly isTypeOnly: boolean;
  /** `await import()`: loaded when it runs. */
  readonly isDynamic: boolean;
}

/** All imports below some directories. */
export function importsBelow(...directories: readonly string[]): readonly Import[] {
  return directories.flatMap((directory) =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .sort()
      .flatMap((file) => importsOf(join(directory, file))),
  );
}

/** Files and packages that are loaded with a file, itself included: types and dynamic imports are not. */
export function loadedBy(file: string, imports: readonly Import[]): ReadonlySet<string> {
  const loaded = new Set([file]);
  for (const path of loaded) {
    for (const { from, to, isTypeOnly, isDynamic } of imports) {
      if (from === path && !isTypeOnly && !isDynamic) loaded.add(to);
    }
  }
  return loaded;
}

/** Circles of files that import each other, as `a.ts -> b.ts -> a.ts`. */
export function findCycles(imports: readonly Import[]): readonly string[] {
  const edges = new Map<string, string[]>();
  for (const { from, to } of imports) edges.set(from, [...(edges.get(from) ?? []), to]);
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const to of edges.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return cycles;
}

function importsOf(file: string): readonly Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, kind: { isTypeOnly: boolean; isDynamic: boolean }): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const to = specifier.text.startsWith('.')
      ? normalize(join(dirname(file), specifier.text))
      : specifier.text;
    found.push({ from: file, to, ...kind });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, { isTypeOnly: isTypeOnlyImport(node), isDynamic: false });
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, { isTypeOnly: node.isTypeOnly, isDynamic: false });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], { isTypeOnly: false, isDynamic: true });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, { isTypeOnly: true, isDynamic: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest));
  return found;
}

/** `import type ...`, or only `type` names in the braces. */
function isTypeOnlyImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = importClause.namedBindings;
  return (
    importClause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.length > 0 &&
    names.elements.every((element) => element.isTypeOnly)
  );
}
