import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listModinfo } from '../../src/kmod/module.ts';
import { DEPMOD_CACHE, fetchKernel, fetchKmod34, KMOD_30, type RealDepmod } from './depmod-packages.ts';
import { ModuleTree, RHEL_CONFIG } from './depmod-tree.ts';
import { pathOf, readKernel, withNeeds } from './kernel-modules.ts';

/** Modules of the base; what they need comes with them. */
const BASE = [
  ...[
    'nft_ct',
    'nft_masq',
    'xt_MASQUERADE',
    'nf_tables',
    'nhc_dest',
    'nhc_udp',
    'tun',
    'loop',
    'fuse',
    'cuse',
  ],
  ...[
    'pppoe',
    'vhost_net',
    'uhid',
    'hid-generic',
    'lrw',
    'xts',
    'ecb',
    'crc16',
    'crc-itu-t',
    'rc-dtt200u',
    'e1000',
  ],
];
/** Modules that join it in extra/, with what needs them. */
const ADDED = ['ip_set', 'ip_set_hash_ip', 'xt_set', 'uinput', 'cifs_arc4', 'r8169', 'ppp_deflate'];
/** Modules of the base that get another file in updates/. */
const OVERRIDDEN = ['tun', 'x_tables', 'libcrc32c', 'e1000'];

const target = process.argv[2] ?? 'fixtures/depmod';
mkdirSync(DEPMOD_CACHE, { recursive: true });
const scratch = mkdtempSync(join(DEPMOD_CACHE, 'fixtures-'));
const from = await readKernel(await fetchKernel('amd64'), scratch);
const depmods = { 'kmod-30': KMOD_30, 'kmod-34': await fetchKmod34() };

const fileOf = (name: string): string => pathOf(from, `${name}.ko`);
const added = new Map(ADDED.map((name) => [`extra/${name}.ko`, fileOf(name)]));
const overridden = new Map(OVERRIDDEN.map((name) => [`updates/${name}.ko`, fileOf(name)]));
const needed = withNeeds([...BASE, ...ADDED].map(fileOf), from.table).filter(
  (path) => ![...added.values()].includes(path),
);

const tree = new ModuleTree(join(scratch, 'tree'), from.kernel.kernelRelease);
for (const path of needed) tree.link(path, from.fileOf(path));
const order = from.buildFile('modules.order').toString('latin1').split('\n');
// One module of the base is not in modules.order, as if it had come by another way.
const ordered = order.filter(
  (line) => [...needed, ...added.values()].includes(line) && !line.endsWith('/cuse.ko'),
);
tree.write('modules.order', Buffer.from(ordered.map((line) => `${line}\n`).join('')));
tree.write(
  'modules.builtin',
  Buffer.from(from.buildFile('modules.builtin').toString().split('\n').slice(0, 30).join('\n') + '\n'),
);
const strings = from.buildFile('modules.builtin.modinfo').toString('latin1').split('\0');
const aliased = new Set(
  strings
    .filter((text) => text.includes('.alias='))
    .slice(0, 25)
    .map((text) => text.split('.')[0]),
);
const kept = strings.filter((text) => aliased.has(text.split('.')[0]));
tree.write('modules.builtin.modinfo', Buffer.from(kept.map((text) => `${text}\0`).join(''), 'latin1'));

for (const name of Object.keys(depmods)) rmSync(join(target, name), { recursive: true, force: true });
for (const [name, depmod] of Object.entries(depmods)) {
  const base = await indexesOf(depmod);
  write(`${name}/base`, base);
  for (const [scenario, change] of [
    ['add', added],
    ['override', overridden],
  ] as const) {
    for (const [path, source] of change) tree.link(path, from.fileOf(source));
    const merged = await indexesOf(depmod);
    for (const path of change.keys()) tree.take(path);
    write(
      `${name}/${scenario}`,
      new Map([...merged].filter(([file, bytes]) => !bytes.equals(base.get(file) ?? Buffer.alloc(0)))),
    );
  }
}
const facts = [...needed.map((path): [string, string] => [path, path]), ...added, ...overridden].map(
  ([path, source]) => {
    const module = from.read(source);
    return {
      path,
      aliases: listModinfo(module, 'alias'),
      softdeps: listModinfo(module, 'softdep'),
      imports: module.imports.map(({ symbol }) => symbol),
      exports: module.exports.map(({ symbol }) => symbol),
    };
  },
);
// Symbols of vmlinux decide nothing: a few are kept, so that there are some that no module exports.
const exported = new Set(facts.flatMap((module) => module.exports));
const small = facts.map((module) => ({
  ...module,
  imports: module.imports.filter((symbol, at) => exported.has(symbol) || at < 2),
}));
writeFileSync(
  join(target, 'modules.json'),
  `[\n${small.map((module) => JSON.stringify(module)).join(',\n')}\n]\n`,
);
rmSync(scratch, { recursive: true });

async function indexesOf(depmod: RealDepmod): Promise<ReadonlyMap<string, Buffer>> {
  const indexes = await tree.depmod(depmod, RHEL_CONFIG);
  if (indexes === undefined) throw new Error(`${depmod.name} failed`);
  return indexes;
}

/** What kmod 34 writes as kmod 30 does is kept once. */
function write(directory: string, files: ReadonlyMap<string, Buffer>): void {
  mkdirSync(join(target, directory), { recursive: true });
  for (const [name, bytes] of files) {
    const known = join(target, directory.replace('kmod-34', 'kmod-30'), name);
    if (existsSync(known) && readFileSync(known).equals(bytes)) continue;
    writeFileSync(join(target, directory, name), bytes);
  }
}
