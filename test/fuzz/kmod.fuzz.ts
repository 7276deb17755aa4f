import { decompressModule } from '../../src/kmod/compression.ts';
import { parseBuildConfig } from '../../src/kmod/build-config.ts';
import { configForKernel, parseDepmodConfig, RHEL_DEPMOD_CONFIG } from '../../src/kmod/depmod/config.ts';
import { readIndex } from '../../src/kmod/depmod/index-reader.ts';
import { mergeIndexes } from '../../src/kmod/depmod/merge.ts';
import { readElf } from '../../src/kmod/elf.ts';
import { readLoaderSymbols } from '../../src/kmod/loader-symbols.ts';
import { parseModinfo } from '../../src/kmod/modinfo.ts';
import { readModversions } from '../../src/kmod/modversions.ts';
import { readModule } from '../../src/kmod/read-module.ts';
import { parseSymvers } from '../../src/kmod/symvers.ts';
import { readVersionTables } from '../../src/kmod/version-tables.ts';
import { verifyModule } from '../../src/verify/verify-module.ts';
import { makeKernelFacts } from '../../src/verify/kernel-facts.ts';
import { kernelFacts, kernelFiles } from '../verify/kernel.ts';
import { fixture, fuzz } from './fuzz.ts';

const MODULES = ['kl_consumer.ko', 'kl_provider.sha256.ko', 'kl_provider.ec.ko'].map((name) =>
  fixture(`modules/${name}`),
);
const MAX_BYTES = 4 * 1024 ** 2;
const KERNEL = kernelFacts();

const NAMES = [
  ...['dep', 'dep.bin', 'alias', 'alias.bin', 'symbols', 'symbols.bin', 'softdep', 'devname', 'order'],
  ...['builtin', 'builtin.bin', 'builtin.modinfo', 'builtin.alias.bin'],
].map((name) => `modules.${name}`);
const BASE = new Map(NAMES.map((name) => [name, fixture(`depmod/kmod-30/base/${name}`)]));
const ADDED = [{ path: 'extra/kl_consumer.ko', module: readModule(fixture('modules/kl_consumer.ko')) }];

fuzz([
  { name: 'readModule()', seeds: MODULES, parse: (bytes) => readModule(bytes) },
  {
    name: 'readLoaderSymbols(), readVersionTables(), readModversions()',
    seeds: MODULES,
    parse: (bytes) => {
      const elf = readElf(bytes);
      return [readLoaderSymbols(elf), readVersionTables(elf), readModversions(elf)];
    },
  },
  {
    name: 'verifyModule()',
    seeds: MODULES,
    parse: (bytes) => verifyModule({ path: 'extra/kl_consumer.ko', bytes, kernel: KERNEL }),
  },
  {
    name: 'makeKernelFacts()',
    seeds: [fixture('kernel/crc7.ko')],
    parse: (bytes) => makeKernelFacts(kernelFiles({ modules: [bytes] })),
  },
  {
    name: 'parseModinfo()',
    seeds: [Buffer.from('name=kl\0vermagic=6.1.0 SMP \0alias=pci:v0*\0parm=greeting:text\0')],
    parse: (bytes) => parseModinfo(bytes),
  },
  {
    name: 'parseSymvers()',
    seeds: [fixture('kernel/symvers'), fixture('modules/Module.symvers')],
    parse: (bytes) => parseSymvers(bytes.toString('latin1')),
  },
  {
    name: 'parseBuildConfig()',
    seeds: [fixture('kernel/config')],
    parse: (bytes) => parseBuildConfig(bytes.toString('latin1')),
  },
  {
    name: 'decompressModule()',
    seeds: ['kl_provider.ko.gz', 'kl_provider.ko.xz', 'kl_provider.crc64.ko.xz', 'kl_provider.ko.zst'].map(
      (name) => fixture(`modules/${name}`),
    ),
    parse: (bytes) => decompressModule(bytes, { maxBytes: MAX_BYTES }),
  },
  {
    name: 'readIndex()',
    seeds: NAMES.filter((name) => name.endsWith('.bin')).map((name) =>
      fixture(`depmod/kmod-30/base/${name}`),
    ),
    parse: (bytes) => readIndex(bytes),
  },
  {
    name: 'parseDepmodConfig()',
    seeds: [
      Buffer.from('search updates extra built-in weak-updates\noverride ice * extra/ice\n'),
      Buffer.from('external 6.* /opt/modules\nexclude *.old\nmake_map_files no\n# nothing \\\n more\n'),
    ],
    parse(bytes) {
      const files = [{ directory: 'etc/depmod.d', name: 'a.conf', text: bytes.toString('latin1') }];
      return configForKernel(parseDepmodConfig(files), '6.1.0-56-amd64');
    },
  },
  {
    name: 'mergeIndexes()',
    // The first byte says which file of the base the rest is.
    seeds: NAMES.map((name, at) => Buffer.concat([Buffer.from([at]), BASE.get(name) ?? Buffer.alloc(0)])),
    parse(bytes) {
      const name = NAMES[(bytes[0] ?? 0) % NAMES.length] ?? '';
      return mergeIndexes({
        base: new Map([...BASE, [name, bytes.subarray(1)]]),
        added: ADDED,
        config: RHEL_DEPMOD_CONFIG,
        kernelRelease: '6.1.0-56-amd64',
      });
    },
  },
]);
