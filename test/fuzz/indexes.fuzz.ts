import { checkBase } from '../../src/kmod/depmod/check-base.ts';
import { configForKernel, parseDepmodConfig, RHEL_DEPMOD_CONFIG } from '../../src/kmod/depmod/config.ts';
import { indexTree, readIndexFormat, RHEL_INDEX_FORMAT } from '../../src/kmod/depmod/index-tree.ts';
import { mergeIndexes } from '../../src/kmod/depmod/merge.ts';
import { makeModule } from '../kmod/depmod/make-module.ts';
import { fuzz } from './fuzz.ts';

const KERNEL = '6.1.0-56-amd64';

/** A base of a few modules: small, so that many cases can be tried. */
function makeBase(layout: 'post-order' | 'pre-order'): ReadonlyMap<string, Uint8Array> {
  const files = new Map([
    ['modules.order', Buffer.from('kernel/a.ko\nkernel/b.ko\nkernel/c.ko\n')],
    ['modules.builtin', Buffer.from('kernel/fs/ext4.ko\n')],
    ['modules.builtin.modinfo', Buffer.from('ext4.alias=fs-ext4\0')],
  ]);
  const modules = ['kernel/a.ko', 'kernel/b.ko', 'kernel/c.ko.xz', 'extra/d.ko', 'misc/e-f.ko'].map(
    (path, at) => ({
      path,
      module: makeModule({
        exports: [`s${at}`, `t${at}`],
        imports: at > 0 ? [`s${at - 1}`, 't0'] : [],
        aliases: [`pci:v*[0-${at}]-`, 'devname:x', 'char-major-10-1'],
        softdeps: ['pre: z'],
      }),
    }),
  );
  const format = {
    ...RHEL_INDEX_FORMAT,
    layout,
    files: [...RHEL_INDEX_FORMAT.files, 'modules.weakdep'],
  };
  const indexes = indexTree({ modules, config: RHEL_DEPMOD_CONFIG, kernelRelease: KERNEL, format, files });
  return new Map([...files, ...indexes.files]);
}

const bases = [makeBase('post-order'), makeBase('pre-order')];
const added = [
  { path: 'extra/new.ko', module: makeModule({ imports: ['s2'], exports: ['n'], aliases: ['x'] }) },
  { path: 'updates/b.ko', module: makeModule({ imports: ['s0'], exports: ['s1'] }) },
];
/** Files of the bases, each with a byte in front that says of which base and which file it is. */
const marked = bases.flatMap((base, number) =>
  [...base.values()].map((bytes, at) => Buffer.concat([Buffer.from([at * bases.length + number]), bytes])),
);

/** A base in which one file was damaged. */
function damage(bytes: Buffer): ReadonlyMap<string, Uint8Array> {
  const mark = bytes[0] ?? 0;
  const base = bases[mark % bases.length] ?? bases[0] ?? new Map<string, Uint8Array>();
  const names = [...base.keys()];
  const name = names[Math.floor(mark / bases.length) % names.length] ?? '';
  return new Map([...base, [name, bytes.subarray(1)]]);
}

fuzz([
  {
    name: 'checkBase() with one damaged file',
    seeds: marked,
    parse: (bytes) => {
      checkBase(damage(bytes));
    },
  },
  {
    name: 'readIndexFormat() with one damaged file',
    seeds: marked,
    parse: (bytes) => readIndexFormat(damage(bytes)),
  },
  {
    name: 'mergeIndexes() into a base with one damaged file that nobody checked',
    seeds: marked,
    parse: (bytes) => {
      const base = damage(bytes);
      const request = { base, added, config: RHEL_DEPMOD_CONFIG, kernelRelease: KERNEL, isBaseChecked: true };
      return mergeIndexes(request);
    },
  },
  {
    name: 'configForKernel() with damaged patterns',
    seeds: [
      Buffer.from('override a ^[5-6]\\.[0-9]{1,2}(\\.|-) updates\nexternal [[:digit:]]+\\.(1|4) /opt\n'),
    ],
    parse: (bytes) =>
      configForKernel(
        parseDepmodConfig([{ directory: 'etc/depmod.d', name: 'a.conf', text: bytes.toString('latin1') }]),
        KERNEL,
      ),
  },
]);
