import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { listModinfo } from '../../src/kmod/module.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { fetchKernel, fetchNewDepmod } from './depmod-packages.ts';
import { ModuleTree, readDependencyTable, RHEL_CONFIG } from './depmod-tree.ts';

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
const kernel = await fetchKernel('amd64');
const depmods = { 'kmod-30': ['depmod'], 'kmod-34': await fetchNewDepmod() };
const scratch = mkdtempSync(join(tmpdir(), 'depmod-fixtures-'));

const whole = new ModuleTree(kernel, join(scratch, 'whole'), []);
cpSync(join(kernel.directory, 'kernel'), join(scratch, 'whole/lib/modules', kernel.kernelRelease, 'kernel'), {
  recursive: true,
});
const table = readDependencyTable(
  (await whole.depmod(['depmod'], RHEL_CONFIG)).get('modules.dep')?.toString() ?? '',
);
const pathOf = (name: string): string =>
  table.paths.find((path) => basename(path) === `${name}.ko`) ?? `no ${name}`;
const withNeeds = (names: readonly string[]): string[] => [
  ...new Set(names.map(pathOf).flatMap((path) => [path, ...(table.needs.get(path) ?? [])])),
];
const added = new Map(ADDED.map((name) => [`extra/${name}.ko`, pathOf(name)]));
const overridden = new Map(OVERRIDDEN.map((name) => [`updates/${name}.ko`, pathOf(name)]));
const needed = withNeeds([...BASE, ...ADDED]).filter((path) => ![...added.values()].includes(path));

const tree = new ModuleTree(kernel, join(scratch, 'tree'), needed);
const order = readFileSync(join(kernel.directory, 'modules.order'), 'latin1').split('\n');
// One module of the base is not in modules.order, as if it had come by another way.
const ordered = order.filter(
  (line) => [...needed, ...added.values()].includes(line) && !line.endsWith('/cuse.ko'),
);
tree.write('modules.order', Buffer.from(ordered.map((line) => `${line}\n`).join('')));
tree.write(
  'modules.builtin',
  Buffer.from(tree.read('modules.builtin').toString().split('\n').slice(0, 30).join('\n') + '\n'),
);
const strings = tree.read('modules.builtin.modinfo').toString('latin1').split('\0');
const aliased = new Set(
  strings
    .filter((text) => text.includes('.alias='))
    .slice(0, 25)
    .map((text) => text.split('.')[0]),
);
const kept = strings.filter((text) => aliased.has(text.split('.')[0]));
tree.write('modules.builtin.modinfo', Buffer.from(kept.map((text) => `${text}\0`).join(''), 'latin1'));

rmSync(target, { recursive: true, force: true });
for (const [name, command] of Object.entries(depmods)) {
  const base = await tree.depmod(command, RHEL_CONFIG);
  write(`${name}/base`, base);
  for (const [scenario, change] of [
    ['add', added],
    ['override', overridden],
  ] as const) {
    for (const [path, source] of change) tree.put(path, source);
    const merged = await tree.depmod(command, RHEL_CONFIG);
    for (const path of change.keys()) tree.take(path);
    write(
      `${name}/${scenario}`,
      new Map([...merged].filter(([file, bytes]) => !bytes.equals(base.get(file) ?? Buffer.alloc(0)))),
    );
  }
}
const facts = [...needed.map((path): [string, string] => [path, path]), ...added, ...overridden].map(
  ([path, source]) => {
    const module = readModule(readFileSync(join(kernel.directory, source)));
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

/** What kmod 34 writes as kmod 30 does is kept once. */
function write(directory: string, files: ReadonlyMap<string, Buffer>): void {
  mkdirSync(join(target, directory), { recursive: true });
  for (const [name, bytes] of files) {
    const known = join(target, directory.replace('kmod-34', 'kmod-30'), name);
    if (existsSync(known) && readFileSync(known).equals(bytes)) continue;
    writeFileSync(join(target, directory, name), bytes);
  }
}
