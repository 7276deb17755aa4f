import type { BuildPlan } from '../../src/build.ts';
import { targetId } from '../../src/plan/plan.ts';
import type { UpdateRisk } from '../../src/resolve/graph.ts';
import type { Target } from '../../src/resolve/target.ts';
import { plain } from './error-text.ts';

/** A risk of updates, and the targets that they lead into. */
export interface PlannedRisk extends UpdateRisk {
  /** As `targetId` names them. */
  readonly into: readonly string[];
}

/** What may go wrong for clusters that update to the targets of a plan; each risk once, in the order of the targets. */
export function risksOf({ plan }: Pick<BuildPlan, 'plan'>): readonly PlannedRisk[] {
  const targets = new Set<Target>([
    ...plan.images.map(({ target }) => target),
    ...plan.kmodImages.flatMap((unit) => unit.targets),
  ]);
  const risks = new Map<string, UpdateRisk & { readonly into: string[] }>();
  for (const target of targets) {
    for (const { name, url, message } of target.update?.risks ?? []) {
      const known = risks.get(name) ?? { name, url, message, into: [] };
      risks.set(name, known);
      known.into.push(targetId(target));
    }
  }
  return [...risks.values()];
}

/** Releases that the rules of the spec leave out, and risks of updates, as programs see them. */
export function leftOutData(planned: BuildPlan): Readonly<Record<string, unknown>> {
  return {
    excluded: planned.excluded.map(({ version, because }) => ({ release: version, because })),
    risks: risksOf(planned),
  };
}

/** Targets that a line names. */
const MAX_NAMED = 5;

/** A risk in one line, for people. */
export function riskText({ name, url, message, into }: PlannedRisk): string {
  const more = into.length > MAX_NAMED ? ` and ${into.length - MAX_NAMED} more` : '';
  const said = [
    `risk of update ${name}`,
    ...(message === '' ? [] : [message]),
    `into ${into.slice(0, MAX_NAMED).join(', ')}${more}`,
    ...(url === '' ? [] : [url]),
  ];
  return plain(said.join(': '));
}

/** The same and what was left out, a line each, for where the plan itself is for programs. */
export function leftOutText(planned: BuildPlan): string {
  return [
    ...planned.excluded.map(({ version, because }) => `without ${version}: ${plain(because)}\n`),
    ...risksOf(planned).map((risk) => `${riskText(risk)}\n`),
  ].join('');
}
