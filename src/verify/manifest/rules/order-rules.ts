import { type Draft, reporterOf } from '../finding.ts';
import type { ManifestSet } from '../rule.ts';
import { circlesIn, ordersOf } from '../unit-order.ts';

/** Most units of a circle that a finding names. */
const MAX_NAMES = 12;

/** Units that wait for each other: of all MachineConfigs of a pool and the OS together. */
export function orderRules({ pools }: ManifestSet, drafts: Draft[]): void {
  const reported = new Set<string>();
  for (const pool of pools) {
    for (const circle of circlesIn(ordersOf(pool))) {
      const [{ said } = {}] = circle;
      if (said === undefined) continue;
      const names = circle.map(({ first }) => first.slice(0, 200));
      // Pools share MachineConfigs.
      const key = `${said.config.manifest.name}\n${names.join('\n')}`;
      if (reported.has(key)) continue;
      reported.add(key);
      const shown = [
        ...names.slice(0, MAX_NAMES),
        ...(names.length > MAX_NAMES ? ['...'] : []),
        names[0] ?? '',
      ];
      reporterOf(
        said.config.manifest,
        drafts,
      )({
        rule: 'unit-order-cycle',
        severity: 'error',
        path: said.path,
        lineInText: said.line,
        message: `units wait for each other in a circle, each to be started before the next: ${shown.join(', ')}; systemd drops one of them from the boot`,
        hint: 'What loads before network-pre.target cannot pull: split it into a unit that pulls after network-online.target, and one that loads at the next boot.',
      });
    }
  }
}
