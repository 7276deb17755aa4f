import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { moduleGraph } from '../../../cli/report/html/graph/graph.ts';
import { layOut, type Arrow, type Box } from '../../../cli/report/html/graph/layout.ts';
import { brokenIceOf, iceOf, moduleOf, targetOf, verifyReportOf } from '../../support/verify-reports.ts';

describe('moduleGraph()', () => {
  it('draws what the symbols say, and leaves out what comes through others', () => {
    const { nodes, edges } = moduleGraph(targetOf());

    expect(nodes.map(({ label, kind }) => `${label} ${kind}`)).toEqual([
      'gnss added',
      'ice added',
      'ptp base',
    ]);
    expect(edges).toEqual([
      { from: 'extra/ice/ice.ko.xz', to: 'extra/gnss/gnss.ko.xz', status: 'ok' },
      { from: 'extra/ice/ice.ko.xz', to: 'kernel/drivers/ptp/ptp.ko.xz', status: 'ok' },
    ]);
  });

  it('draws a dependency that no symbol and no other module explains', () => {
    const modules = [
      moduleOf('a', { dependencies: ['extra/b/b.ko.xz', 'kernel/c.ko', 'kernel/soft.ko'], symbols: [] }),
      moduleOf('b', { dependencies: ['kernel/c.ko'], symbols: [] }),
    ];
    const { edges } = moduleGraph(targetOf({ modules }));

    expect(edges.map(({ from, to }) => `${from} ${to}`)).toEqual([
      'extra/a/a.ko.xz extra/b/b.ko.xz',
      'extra/a/a.ko.xz kernel/c.ko',
      'extra/a/a.ko.xz kernel/soft.ko',
      'extra/b/b.ko.xz kernel/c.ko',
    ]);
  });

  it('shows what is replaced and what breaks', () => {
    const { nodes, edges } = moduleGraph(verifyReportOf().targets[2]!);

    expect(nodes.filter(({ isReplacing }) => isReplacing).map(({ label }) => label)).toEqual(['ice']);
    expect(edges.filter(({ status }) => status !== 'ok').map(({ from, status }) => [from, status])).toEqual([
      ['kernel/drivers/infiniband/hw/irdma/irdma.ko.xz', 'broken'],
      ['kernel/drivers/net/ethernet/intel/ixd/ixd.ko.xz', 'unknown'],
    ]);
  });

  it('draws many dependants as one box for each state', () => {
    const { nodes } = moduleGraph({
      modules: [brokenIceOf()],
      overrides: [
        {
          name: 'ice',
          winner: iceOf().path,
          loser: 'kernel/ice.ko',
          dependants: Array.from({ length: 90 }, (_, index) => ({
            path: `kernel/d${index}.ko`,
            status: index % 3 === 0 ? ('broken' as const) : ('ok' as const),
            symbols: [],
          })),
        },
      ],
    });

    expect(
      nodes.filter(({ kind }) => kind === 'group').map(({ label, note }) => `${label}: ${note}`),
    ).toEqual(['27 more: needs it, breaks', '59 more: needs it, finds it']);
  });
});

const ids = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 25 });

/** Boxes, and arrows between them in any direction, circles and loose ends included. */
const drawings = ids.chain((names) =>
  fc.record({
    boxes: fc.constant(names.map((id, index): Box => ({ id, width: 60 + ((index * 37) % 90), height: 40 }))),
    arrows: fc.array(fc.record({ from: fc.constantFrom(...names, '?'), to: fc.constantFrom(...names) }), {
      maxLength: 40,
    }),
  }),
);

describe('layOut()', () => {
  it('puts every box into the picture and none onto another', () => {
    fc.assert(
      fc.property(drawings, ({ boxes, arrows }) => {
        const layout = layOut(boxes, arrows);
        const placed = boxes.map((box) => ({ ...box, ...layout.boxes.get(box.id)! }));

        placed.forEach((box, index) => {
          expect(box.x).toBeGreaterThanOrEqual(0);
          expect(box.y).toBeGreaterThanOrEqual(0);
          expect(box.x + box.width).toBeLessThanOrEqual(layout.width + 0.01);
          expect(box.y + box.height).toBeLessThanOrEqual(layout.height + 0.01);
          for (const other of placed.slice(index + 1)) {
            const isApart =
              box.x + box.width <= other.x ||
              other.x + other.width <= box.x ||
              box.y + box.height <= other.y ||
              other.y + other.height <= box.y;
            expect(isApart).toBe(true);
          }
        });
      }),
      { numRuns: 300 },
    );
  });

  it('draws every arrow between boxes from one to the other, and the same each time', () => {
    fc.assert(
      fc.property(drawings, ({ boxes, arrows }) => {
        const layout = layOut(boxes, arrows);

        expect(layOut(structuredClone(boxes), structuredClone(arrows))).toEqual(layout);
        arrows.forEach((arrow, index) => {
          const path = layout.arrows[index]!;
          const [from, to] = [layout.boxes.get(arrow.from), layout.boxes.get(arrow.to)];
          if (from === undefined || to === undefined || path.length === 0) {
            expect(arrow.from === '?' || arrow.from === arrow.to || path.length > 0).toBe(true);
            return;
          }
          expect(path.at(0)!.y).toBeCloseTo(from.y + 20);
          expect(path.at(-1)).toEqual({ x: to.x, y: expect.closeTo(to.y + 20) as number });
        });
      }),
      { numRuns: 300 },
    );
  });

  it('leads arrows to the right and crosses none of a chain with a shortcut', () => {
    const boxes = ['a', 'b', 'c'].map((id) => ({ id, width: 100, height: 40 }));
    const arrows: readonly Arrow[] = [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'c' },
      { from: 'a', to: 'c' },
    ];
    const layout = layOut(boxes, arrows);

    expect(['a', 'b', 'c'].map((id) => layout.boxes.get(id)!.x)).toEqual([0, 172, 344]);
    for (const path of layout.arrows) {
      for (const [index, point] of path.entries()) {
        expect(point.x).toBeGreaterThanOrEqual(path[index - 1]?.x ?? 0);
      }
    }
    // The shortcut passes above or below the box between.
    const through = layout.arrows[2]!.filter(({ x }) => x === 172 || x === 272);
    const { y } = layout.boxes.get('b')!;
    expect(through).toHaveLength(2);
    for (const point of through) expect(point.y <= y || point.y >= y + 40).toBe(true);
  });

  it('is quick for as many boxes as are drawn', () => {
    const boxes = Array.from({ length: 60 }, (_, index) => ({ id: `${index}`, width: 90, height: 40 }));
    const arrows = boxes
      .flatMap(({ id }, index) => boxes.slice(index + 1).map((other) => ({ from: id, to: other.id })))
      .slice(0, 150);

    expect(layOut(boxes, arrows).arrows).toHaveLength(150);
  });
});
