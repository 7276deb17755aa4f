import { detectCompression } from '../../../kmod/compression.ts';
import { listModinfo } from '../../../kmod/module.ts';
import { moduleNameOfPath } from '../../../spec/module-name.ts';
import type { Finding } from '../../report.ts';
import { MODULE_FILE } from '../added-layer.ts';
import { keysOfIndex } from '../index-content.ts';
import { kernelPathOf, moduleDirectory, modulesOfIndex } from '../kernel-paths.ts';
import type { LintInput } from '../lint-input.ts';
import { namesOf } from '../words.ts';

/** Rules on the modules of an image as files: how they are packed, what they need beside themselves. */
export function moduleRules(input: LintInput): Finding[] {
  return [
    ...unreadable(input),
    ...compression(input),
    ...builtIn(input),
    ...firmware(input),
    ...initramfs(input),
  ];
}

function unreadable({ unreadable: found, tree }: LintInput): Finding[] {
  return found.map(({ path, why }) => ({
    rule: 'module-unreadable',
    severity: 'error',
    path,
    layer: tree.entries.get(path)?.layer.descriptor.digest,
    message: `${why}: the kernel refuses the file`,
    hint: 'The file was cut or changed on its way, or is no kernel module: copy it again.',
  }));
}

const SUFFIX = /\.ko(?:\.(gz|xz|zst))?$/;

function compression({ tree, kernel, baseIndexes }: LintInput): Finding[] {
  const formsOfBase = new Set(
    modulesOfIndex(baseIndexes.get('modules.dep')).map((path) => SUFFIX.exec(path)?.[1] ?? 'none'),
  );
  return [...tree.files].flatMap(([path, bytes]): Finding[] => {
    const match = SUFFIX.exec(path);
    if (match === null || kernelPathOf(path)?.kernel !== kernel) return [];
    const said = match[1] ?? 'none';
    const actual = detectCompression(bytes);
    const finding = (message: string, hint: string): Finding => ({
      rule: 'module-compression',
      severity: 'warning',
      path,
      layer: tree.entries.get(path)?.layer.descriptor.digest,
      message,
      hint,
    });
    if (said !== actual) {
      const is = actual === 'none' ? 'not packed' : `packed with ${actual}`;
      return [
        finding(
          `the file is ${is}, its name says ${said === 'none' ? 'otherwise' : said}: a kmod that goes by names cannot read it`,
          'Name the file as it is packed.',
        ),
      ];
    }
    if (said !== 'none' && formsOfBase.size > 0 && !formsOfBase.has(said)) {
      return [
        finding(
          `the module is packed with ${said}, those of the base are not: a kmod that was built without ${said} does not find it`,
          `Pack it as the base does (${namesOf([...formsOfBase])}), or leave it unpacked.`,
        ),
      ];
    }
    return said === 'xz' && !hasKernelCheck(bytes) && unpacksItself(kernel)
      ? [
          finding(
            'the module is packed with a check that the kernel does not know: one that unpacks modules itself refuses it',
            'Pack it with xz --check=crc32 --lzma2=dict=1MiB.',
          ),
        ]
      : [];
  });
}

/** Kernels know no check, and CRC32. @see linux `lib/xz/xz_dec_stream.c` */
function hasKernelCheck(xz: Uint8Array): boolean {
  return ((xz[7] ?? 0) & 0x0f) <= 1;
}

/** CONFIG_MODULE_DECOMPRESS came with Linux 5.17. */
function unpacksItself(kernel = ''): boolean {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
  return Number(major) > 5 || (Number(major) === 5 && Number(minor) >= 17);
}

function builtIn({ tree, indexes, modules }: LintInput): Finding[] {
  const builtin = keysOfIndex(indexes.get('modules.builtin.bin'));
  return [...modules.keys()]
    .filter((path) => builtin.has(moduleNameOfPath(path)))
    .map((path) => ({
      rule: 'module-built-in',
      severity: 'error',
      path,
      layer: tree.entries.get(path)?.layer.descriptor.digest,
      message: `the kernel has ${moduleNameOfPath(path)} built in: modprobe takes it for loaded, and never looks at the file`,
      hint: 'What is built into the kernel cannot be replaced by a module.',
    }));
}

/** Where the kernel looks for firmware. @see linux `drivers/base/firmware_loader/main.c`, `fw_path` */
export function firmwarePaths(name: string, kernel: string): readonly string[] {
  return ['updates/', `updates/${kernel}/`, `${kernel}/`, ''].flatMap((directory) =>
    ['', '.xz', '.zst'].map((suffix) => `usr/lib/firmware/${directory}${name}${suffix}`),
  );
}

function firmware({ tree, kernel, modules, findInBase }: LintInput): Finding[] {
  const wanted = new Map<string, string>();
  for (const [path, module] of modules)
    for (const name of listModinfo(module, 'firmware')) wanted.set(name, moduleNameOfPath(path));
  return [...wanted].flatMap(([name, module]): Finding[] => {
    const isFound = firmwarePaths(name, kernel ?? '').some((path) => {
      if (tree.entries.has(path)) return true;
      const known = tree.removes(path) ? 'absent' : findInBase(path);
      return known !== 'absent' && known !== 'unknown';
    });
    if (isFound) return [];
    const base = name.slice(name.lastIndexOf('/') + 1);
    const elsewhere = [...tree.entries].filter(
      ([path, { entry }]) =>
        entry.type !== 'directory' &&
        [base, `${base}.xz`, `${base}.zst`].includes(path.slice(path.lastIndexOf('/') + 1)),
    );
    const [first] = elsewhere;
    if (first === undefined) return [];
    return [
      {
        rule: 'firmware-path',
        severity: 'warning',
        path: first[0],
        layer: first[1].layer.descriptor.digest,
        message: `${module} asks for the firmware ${name}, and the kernel does not look for it here`,
        hint: `Put it at usr/lib/firmware/${name}.`,
      },
    ];
  });
}

/** The initramfs is made when the base is: what stands in it is loaded before the image's own modules are there. */
function initramfs({ tree, kernel, baseIndexes }: LintInput): Finding[] {
  const directory = moduleDirectory(kernel);
  if (tree.entries.has(`${directory}initramfs.img`)) return [];
  const inBase = new Set(modulesOfIndex(baseIndexes.get('modules.dep')).map(moduleNameOfPath));
  const replaced = [...tree.entries.keys()].filter(
    (path) => path.startsWith(directory) && MODULE_FILE.test(path) && inBase.has(moduleNameOfPath(path)),
  );
  const [first] = replaced;
  if (first === undefined) return [];
  return [
    {
      rule: 'initramfs',
      severity: 'note',
      path: first,
      layer: tree.entries.get(first)?.layer.descriptor.digest,
      message: `the initramfs was not made anew: where it holds ${namesOf(replaced.map(moduleNameOfPath))}, the module of the base is loaded before the one of this image can be`,
      hint: 'That matters for drivers of disks and network cards that are needed early: say "initramfs: true" for the module in the spec, or keep the other out with rd.driver.blacklist= on the command line of the kernel.',
    },
  ];
}
