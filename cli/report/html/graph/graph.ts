import type { ModuleReport, OverrideReport, TargetReport } from '../../../../src/verify/report.ts';
import { moduleNameOfPath } from '../../../../src/spec/module-name.ts';

/** A box of the picture. */
export interface GraphNode {
  /** Path of the module; of a group, something that no path is. */
  readonly id: string;
  readonly label: string;
  /** Second line. */
  readonly note: string;
  readonly kind: 'added' | 'base' | 'group';
  /** Of what the layer adds: it fails. Of the base: it breaks. */
  readonly isBad: boolean;
  /** It takes the place of a module of the base. */
  readonly isReplacing: boolean;
}

/** `from` needs `to`: what it points at is loaded first. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly status: 'ok' | 'broken' | 'unknown';
}

export interface ModuleGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** Dependants of a status that get a box each; more of them share the last. */
const SINGLE_DEPENDANTS = { broken: 4, unknown: 2, ok: 2 } as const;

/** What the modules of a target need, and what of the base needs those that they replace. */
export function moduleGraph({
  modules,
  overrides,
}: Pick<TargetReport, 'modules' | 'overrides'>): ModuleGraph {
  const nodes = new Map<string, GraphNode>();
  const edges: GraphEdge[] = [];
  const replaced = new Map(overrides.map(({ winner, loser }) => [winner, loser]));

  for (const module of modules) {
    const loser = replaced.get(module.path);
    nodes.set(module.path, {
      id: module.path,
      label: module.name,
      note: `${loser === undefined ? 'added' : 'replaces'}, ${module.verdict}`,
      kind: 'added',
      isBad: module.verdict === 'fails',
      isReplacing: loser !== undefined,
    });
  }
  const addBase = (path: string, given: Partial<GraphNode> = {}): void => {
    if (nodes.has(path)) return;
    nodes.set(path, {
      id: path,
      label: moduleNameOfPath(path),
      note: 'of the base',
      kind: 'base',
      isBad: false,
      isReplacing: false,
      ...given,
    });
  };
  const closures = new Map(modules.map(({ path, dependencies }) => [path, dependencies]));
  for (const module of modules) {
    for (const path of directDependencies(module, closures)) {
      addBase(path);
      edges.push({ from: module.path, to: path, status: 'ok' });
    }
  }
  for (const override of overrides) {
    addBase(override.winner);
    for (const { id, status, node } of dependantsOf(override)) {
      addBase(id, node);
      edges.push({ from: id, to: override.winner, status });
    }
  }
  return { nodes: [...nodes.values()], edges };
}

/**
 * What a module needs itself: the providers of its symbols, and what no other dependency brings along. Of modules of
 * the base only the symbols say so, since what they need in turn is not in the report.
 */
export function directDependencies(
  { path, dependencies, symbols }: ModuleReport,
  closures: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const providers = new Set(symbols.map(({ provider }) => provider));
  const direct = dependencies.filter((dependency) => providers.has(dependency));
  if (direct.length === 0) return dependencies.filter((dependency) => dependency !== path);
  const brought = new Set(direct.flatMap((dependency) => closures.get(dependency) ?? []));
  const isRestOfBase = direct.some((dependency) => !closures.has(dependency));
  return dependencies.filter(
    (dependency) =>
      dependency !== path && (providers.has(dependency) || (!brought.has(dependency) && !isRestOfBase)),
  );
}

interface Dependant {
  readonly id: string;
  readonly status: GraphEdge['status'];
  readonly node: Partial<GraphNode>;
}

const STATUS_NOTES = {
  ok: 'needs it, finds it',
  broken: 'needs it, breaks',
  unknown: 'needs it, not known',
} as const;

function dependantsOf({ winner, dependants }: OverrideReport): readonly Dependant[] {
  return (['broken', 'unknown', 'ok'] as const).flatMap((status) => {
    const paths = dependants.filter((dependant) => dependant.status === status).map(({ path }) => path);
    const isBad = status === 'broken';
    const single =
      paths.length <= SINGLE_DEPENDANTS[status] ? paths : paths.slice(0, SINGLE_DEPENDANTS[status] - 1);
    const rest = paths.length - single.length;
    return [
      ...single.map((id) => ({ id, status, node: { note: STATUS_NOTES[status], isBad } })),
      ...(rest === 0
        ? []
        : [
            {
              id: `\n${status} ${winner}`,
              status,
              node: { kind: 'group' as const, label: `${rest} more`, note: STATUS_NOTES[status], isBad },
            },
          ]),
    ];
  });
}
