import { findNearest } from './nearest.ts';
import { checkTwice, list, quote, record, type Reporter } from './raw-checks.ts';

/** `dependsOn` of all drivers: names that are there, and no circles. */
export function checkDependencies(drivers: readonly unknown[], report: Reporter): void {
  const needs = new Map<string, readonly string[]>();
  for (const driver of drivers) {
    const { name, dependsOn } = record(driver);
    if (typeof name === 'string')
      needs.set(
        name,
        list(dependsOn).filter((one) => typeof one === 'string'),
      );
  }
  drivers.forEach((driver, index) => {
    const path = ['drivers', index, 'dependsOn'];
    const { name, dependsOn } = record(driver);
    checkTwice(list(dependsOn), path, report);
    list(dependsOn).forEach((needed, at) => {
      if (typeof needed !== 'string' || needs.has(needed)) return;
      const nearest = findNearest(needed, [...needs.keys()]);
      report(
        [...path, at],
        `No driver of this set is ${quote(needed)}`,
        nearest === undefined ? 'Name one of "drivers".' : `Did you mean ${quote(nearest)}?`,
      );
    });
    const circle = typeof name === 'string' ? findCircle(name, needs) : undefined;
    // Each circle is told once: at the first of its drivers.
    if (circle === undefined || circle.some((one) => indexOf(one, drivers) < index)) return;
    report(
      path,
      `Drivers need each other in a circle: ${circle.join(' -> ')}`,
      'Modules that import from each other belong to one driver.',
    );
  });
}

/** The shortest way from a driver through what it needs back to itself: `a`, `b`, `a`. */
function findCircle(
  start: string,
  needs: ReadonlyMap<string, readonly string[]>,
): readonly string[] | undefined {
  const seen = new Set<string>();
  let ways: (readonly string[])[] = [[start]];
  while (ways.length > 0) {
    const longer: (readonly string[])[] = [];
    for (const way of ways) {
      for (const next of needs.get(way.at(-1) ?? '') ?? []) {
        if (next === start) return [...way, next];
        if (seen.has(next)) continue;
        seen.add(next);
        longer.push([...way, next]);
      }
    }
    ways = longer;
  }
  return undefined;
}

function indexOf(name: string, drivers: readonly unknown[]): number {
  return drivers.findIndex((driver) => record(driver)['name'] === name);
}
