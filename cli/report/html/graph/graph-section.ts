import type { OverrideReport, TargetReport } from '../../../../src/verify/report.ts';
import { code, folded, list, scrollable, section, table } from '../elements.ts';
import { markup, type Html, type Part } from '../html.ts';
import { counted, firstOf, type Limits } from '../limits.ts';
import { dependantMark } from '../marks.ts';
import { moduleGraph, type ModuleGraph } from './graph.ts';
import { graphSvg } from './graph-svg.ts';

/** What still makes a picture; beyond, the lists say more. */
const BOXES_DRAWN = 60;
const ARROWS_DRAWN = 150;

/** What the layer adds, what it replaces, and what is loaded with it: as a picture and as tables. */
export function graphSection(target: TargetReport, id: string, limits: Limits): Html | undefined {
  const { overrides } = target;
  const graph = moduleGraph(target);
  if (graph.edges.length === 0 && overrides.length === 0) return undefined;
  const isDrawn = graph.nodes.length <= BOXES_DRAWN && graph.edges.length <= ARROWS_DRAWN;
  return section({ level: 3, id: `${id}-graph`, text: 'What is loaded together' }, [
    isDrawn
      ? picture(graph, id)
      : markup`<p class="note">${counted(graph.nodes.length, 'module')} and ${counted(graph.edges.length, 'arrow')} are too many for a picture.</p>`,
    folded({
      summary: 'Modules that are loaded before each module, as a table',
      content: dependencyTable(target, limits),
      isOpen: !isDrawn,
    }),
    overrides.length === 0 ? undefined : overrideTable(overrides, limits),
  ]);
}

function picture({ nodes, edges }: ModuleGraph, id: string): Html {
  const added = nodes.filter(({ kind }) => kind === 'added');
  const replacing = added.filter(({ isReplacing }) => isReplacing).length;
  const broken = edges.filter(({ status }) => status === 'broken').length;
  const description = [
    `${counted(added.length, 'module')} of the layer`,
    ...(replacing === 0 ? [] : [`${replacing} in the place of a module of the base`]),
    `${counted(nodes.length - added.length, 'module')} of the base connected with them`,
    ...(broken === 0 ? [] : [`${counted(broken, 'connection')} broken`]),
  ].join(', ');
  return markup`<figure>
    ${scrollable('Picture of the modules', graphSvg({ nodes, edges }, `${id}-picture`, description))}
    <figcaption>An arrow leads from a module to one that it needs.
    ${replacing === 0 ? undefined : 'A second frame behind a box: it takes the place of a module of the base.'}
    ${broken === 0 ? undefined : 'A dashed arrow: what is needed is not there.'}</figcaption>
    </figure>`;
}

function dependencyTable({ modules }: TargetReport, limits: Limits): Html {
  return table({
    kind: 'checks',
    caption: 'Modules that are loaded before each module',
    columns: ['Module', 'Loaded before it, the first one last'],
    rows: modules,
    cells: ({ name, dependencies }) => [
      code(name),
      list(firstOf(dependencies, limits.rows), code) ?? 'nothing',
    ],
    limit: limits.rows,
  });
}

function overrideTable(overrides: readonly OverrideReport[], limits: Limits): Html {
  return table({
    kind: 'checks',
    caption: 'Modules of the base that are replaced',
    columns: ['Module', 'What it replaces, and what of the base needs that'],
    rows: overrides,
    cells: ({ name, winner, loser, dependants }) => [
      code(name),
      [markup`<p>${code(winner)} in the place of ${code(loser)}</p>`, dependantList(dependants, limits)],
    ],
    limit: limits.rows,
  });
}

type Dependant = OverrideReport['dependants'][number];

/** Those that find what they need are folded away: there may be hundreds. */
function dependantList(dependants: readonly Dependant[], limits: Limits): Part {
  const of = (status: Dependant['status']): readonly Dependant[] =>
    dependants.filter((dependant) => dependant.status === status);
  const fine = of('ok');
  if (dependants.length === 0) return 'Nothing of the base needs it.';
  return [
    list(firstOf([...of('broken'), ...of('unknown')], limits.rows), dependantItem),
    fine.length === 0
      ? undefined
      : folded({
          summary: `${counted(fine.length, 'module')} of the base ${fine.length === 1 ? 'finds' : 'find'} all of it`,
          content: list(firstOf(fine, limits.rows), ({ path }) => code(path)),
          isLong: true,
        }),
  ];
}

function dependantItem({ path, status, symbols }: Dependant): Part {
  const { shown, more } = firstOf(symbols, 12);
  return [
    [code(path), ' ', dependantMark(status)],
    shown.length === 0 ? undefined : ': no longer finds ',
    shown.map((symbol, index) => [index === 0 ? undefined : ', ', code(symbol)]),
    more === 0 ? undefined : ` and ${counted(more, 'other')}`,
  ];
}
