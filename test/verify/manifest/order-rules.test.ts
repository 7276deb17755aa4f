import { describe, expect, it } from 'vitest';
import { findingsOf, ignition } from '../../support/lint.ts';
import { ORDER_TRIALS } from './cases/order.ts';

type Units = Readonly<Record<string, string>>;

function machineConfig(units: Units, name: string, more: object = { enabled: true }): string {
  const entries = Object.entries(units).map(([unit, contents]) => ({ name: unit, contents, ...more }));
  return ignition(`systemd: ${JSON.stringify({ units: entries })}`).replace('99-worker-x', name);
}

const circles = (files: readonly string[]): readonly string[] =>
  findingsOf(files).filter((finding) => finding.startsWith('unit-order-cycle '));

describe('unit-order-cycle', () => {
  // What systemd says of each of them, test/e2e/day1-units.e2e.test.ts asks it.
  it.each(ORDER_TRIALS)('$what: $isCircle', ({ configs, isCircle }) => {
    const files = configs.map((units, at) => machineConfig(units, `99-worker-${at}`));

    expect(circles(files).length).toBe(isCircle ? 1 : 0);
  });

  const LOOP = { 'a.service': '[Unit]\nAfter=b.service', 'b.service': '[Unit]\nAfter=a.service' };

  it('is not told of units that nothing starts, or that are masked', () => {
    expect(circles([machineConfig(LOOP, '99-a')])).toHaveLength(1);
    expect(circles([machineConfig(LOOP, '99-a', {})])).toEqual([]);
    expect(circles([machineConfig(LOOP, '99-a', { enabled: true, mask: true })])).toEqual([]);
    const wanted = { 'c.service': '[Unit]\nWants=a.service b.service' };
    expect(circles([machineConfig(LOOP, '99-a', {}), machineConfig(wanted, '99-c')])).toHaveLength(1);
  });

  it('is told of instances of a template, and of drop-ins', () => {
    const template = {
      'a@.service': '[Unit]\nAfter=%i.service',
      'b.service': '[Unit]\nWants=a@b.service\nAfter=a@b.service',
    };
    const dropIn = [{ name: '10-late.conf', contents: '[Unit]\nAfter=kubelet.service' }];
    const late = ignition(
      `systemd: ${JSON.stringify({ units: [{ name: 'NetworkManager.service', dropins: dropIn }] })}`,
    );

    expect(circles([machineConfig(template, '99-a')])).toHaveLength(1);
    expect(circles([late])).toHaveLength(1);
  });

  it('takes units of other pools for no part of it', () => {
    const [one, other] = Object.entries(LOOP).map(([name, text]) => ({ [name]: text }));

    const master = machineConfig(other ?? {}, '99-b').replace('role: worker', 'role: master');
    expect(circles([machineConfig(one ?? {}, '99-a'), master])).toEqual([]);
  });
});
