import type { MachineConfig } from './machine-config.ts';
import type { Pool } from './rule.ts';
import { optionWords, readUnitFile, type UnitFile } from './unit-file.ts';
import type { ValuePath } from './values.ts';

/** One unit is started before another. */
export interface Order {
  readonly first: string;
  readonly then: string;
  /** Where it is said; undefined for what the OS says, and for what systemd adds by itself. */
  readonly said?: { readonly config: MachineConfig; readonly path: ValuePath; readonly line: number };
}

/**
 * What the units of RHCOS say that is about the network: each is started before the next.
 *
 * @see systemd.special(7), `NetworkManager.service`, `crio.service`, and templates of the Machine Config Operator
 */
export const NODE_CHAINS: readonly (readonly string[])[] = [
  ['local-fs.target', 'sysinit.target', 'basic.target', 'NetworkManager.service'],
  ['network-pre.target', 'NetworkManager.service', 'network.target', 'network-online.target'],
  ['NetworkManager.service', 'NetworkManager-wait-online.service', 'network-online.target'],
  ['NetworkManager-wait-online.service', 'ovs-configuration.service', 'kubelet-dependencies.target'],
  ['network-online.target', 'machine-config-daemon-pull.service', 'machine-config-daemon-firstboot.service'],
  ['machine-config-daemon-firstboot.service', 'crio.service', 'kubelet.service'],
  ['network-online.target', 'crio.service'],
  ['network-online.target', 'kubelet-dependencies.target', 'kubelet.service'],
  ['kubelet.service', 'multi-user.target', 'graphical.target'],
  ['multi-user.target', 'default.target'],
];

const NODE_ORDERS: readonly Order[] = NODE_CHAINS.flatMap((chain) =>
  chain.slice(1).map((then, at) => ({ first: chain[at] ?? '', then })),
);

interface Text {
  readonly config: MachineConfig;
  readonly path: ValuePath;
  readonly file: UnitFile;
}

/** A unit as the nodes of a pool get it. */
interface MergedUnit {
  main: Text | undefined;
  readonly dropIns: Text[];
  isEnabled: boolean;
  isMasked: boolean;
}

/** The orders between units that nodes of a pool start, as far as its MachineConfigs and the OS tell. */
export function ordersOf({ configs }: Pool): readonly Order[] {
  const units = mergeUnits(configs);
  const wanted = new Set(
    [...units.values()].flatMap((unit) =>
      textsOf(unit).flatMap(({ file }) =>
        ['Wants', 'Requires', 'BindsTo', 'Upholds'].flatMap((name) => optionWords(file, 'Unit', name)),
      ),
    ),
  );
  const ofNode = new Set(NODE_CHAINS.flat());
  const isStarted = (name: string): boolean => {
    const unit = units.get(name);
    if (unit?.isMasked === true) return false;
    return (
      ofNode.has(name) ||
      wanted.has(name) ||
      (unit !== undefined && (unit.isEnabled || unit.main === undefined))
    );
  };
  const instances = [...wanted].flatMap((name) => {
    const [, template = '', instance = '', suffix = ''] = /^([^@]+)@([^@]+)(\.\w+)$/.exec(name) ?? [];
    const unit = units.get(`${template}@${suffix}`);
    return unit === undefined || units.has(name) ? [] : ordersOfUnit(name, unit, instance);
  });
  const said = [...units].flatMap(([name, unit]) =>
    name.includes('@.') ? [] : ordersOfUnit(name, unit, ''),
  );
  return [...said, ...instances, ...NODE_ORDERS].filter(
    ({ first, then }) => first !== then && isStarted(first) && isStarted(then),
  );
}

function mergeUnits(configs: readonly MachineConfig[]): ReadonlyMap<string, MergedUnit> {
  const merged = new Map<string, MergedUnit>();
  for (const config of configs) {
    for (const unit of config.units) {
      const all = merged.get(unit.name) ?? {
        main: undefined,
        dropIns: [],
        isEnabled: false,
        isMasked: false,
      };
      merged.set(unit.name, all);
      const file = unit.parsed();
      if (file !== undefined) all.main = { config, path: [...unit.at, 'contents'], file };
      for (const { at, contents } of unit.dropIns) {
        if (contents !== undefined)
          all.dropIns.push({ config, path: [...at, 'contents'], file: readUnitFile(contents) });
      }
      all.isEnabled ||= unit.isEnabled;
      all.isMasked ||= unit.isMasked;
    }
  }
  return merged;
}

function textsOf({ main, dropIns }: MergedUnit): readonly Text[] {
  return main === undefined ? dropIns : [main, ...dropIns];
}

function ordersOfUnit(name: string, unit: MergedUnit, instance: string): readonly Order[] {
  const orders: Order[] = [];
  const texts = textsOf(unit);
  for (const { config, path, file } of texts) {
    for (const option of file.options) {
      if (option.section !== 'Unit' || (option.name !== 'Before' && option.name !== 'After')) continue;
      const said = { config, path, line: option.line };
      for (const word of option.value.split(/\s+/)) {
        const other = word.replaceAll(/%[iI]/g, instance);
        if (other === '') continue;
        orders.push(
          option.name === 'Before' ? { first: name, then: other, said } : { first: other, then: name, said },
        );
      }
    }
  }
  const wordsOf = (section: string, key: string): readonly string[] =>
    texts.flatMap(({ file }) => optionWords(file, section, key));
  if (
    unit.main === undefined ||
    /^(?:no|false|off|0)$/.test(wordsOf('Unit', 'DefaultDependencies').at(-1) ?? '')
  ) {
    return orders;
  }
  // What systemd adds: services come after the basics, and targets after what they start, unless that is said otherwise.
  if (name.endsWith('.service')) orders.push({ first: 'basic.target', then: name });
  const later = new Set(orders.filter(({ then }) => then === name).map(({ first }) => first));
  for (const target of [...wordsOf('Install', 'WantedBy'), ...wordsOf('Install', 'RequiredBy')]) {
    if (unit.isEnabled && target.endsWith('.target') && !later.has(target))
      orders.push({ first: name, then: target });
  }
  if (name.endsWith('.target')) {
    const earlier = new Set(orders.filter(({ first }) => first === name).map(({ then }) => then));
    for (const other of [...wordsOf('Unit', 'Wants'), ...wordsOf('Unit', 'Requires')]) {
      if (!earlier.has(other)) orders.push({ first: other, then: name });
    }
  }
  return orders;
}

/** Circles among orders: of each the orders that make it, beginning with one that a MachineConfig of a person says. */
export function circlesIn(orders: readonly Order[]): readonly (readonly Order[])[] {
  const left = withinCircles(orders);
  const after = new Map<string, Order[]>();
  for (const order of left) after.set(order.first, [...(after.get(order.first) ?? []), order]);
  const circles: (readonly Order[])[] = [];
  const seen = new Set<string>();
  for (const order of left) {
    if (order.said?.config.origin !== 'user' || (seen.has(order.first) && seen.has(order.then))) continue;
    const back = shortestWay(order.then, order.first, after);
    if (back === undefined) continue;
    const circle = [order, ...back];
    for (const { first } of circle) seen.add(first);
    circles.push(circle);
  }
  return circles;
}

/** Orders without those of units that nothing is before, or that are before nothing, again and again. */
function withinCircles(orders: readonly Order[]): readonly Order[] {
  let left = orders;
  for (;;) {
    const firsts = new Set(left.map(({ first }) => first));
    const thens = new Set(left.map(({ then }) => then));
    const next = left.filter(({ first, then }) => thens.has(first) && firsts.has(then));
    if (next.length === left.length) return left;
    left = next;
  }
}

function shortestWay(
  from: string,
  to: string,
  after: ReadonlyMap<string, readonly Order[]>,
): readonly Order[] | undefined {
  const ways = new Map<string, readonly Order[]>([[from, []]]);
  for (const [name, way] of ways) {
    if (name === to) return way;
    for (const order of after.get(name) ?? []) {
      if (!ways.has(order.then)) ways.set(order.then, [...way, order]);
    }
  }
  return undefined;
}
