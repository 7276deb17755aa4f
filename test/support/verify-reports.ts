import type { BootReport } from '../../src/verify/boot/boot-report.ts';
import {
  CHECK_IDS,
  STATIC_PASS,
  type Check,
  type CheckId,
  type ModuleReport,
  type SymbolUse,
  type TargetReport,
  type VerifyReport,
} from '../../src/verify/report.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';

const K56 = parseKernelRelease('6.1.0-56-amd64');
const K612 = parseKernelRelease('6.12.94+deb12-amd64');
const IMAGE = 'quay.example.com/acme/rhcos-telco-nic';

/** A digest of nothing, told apart from others by its first digit. */
export function digestOf(digit: string): string {
  return `sha256:${digit.repeat(64)}`;
}

/** All checks pass but those that are given. */
export function checksOf(others: readonly Check[] = []): readonly Check[] {
  return CHECK_IDS.map(
    (id) => others.find((check) => check.id === id) ?? { id, status: 'pass', message: PASSES[id] },
  );
}

const PASSES: Readonly<Record<CheckId, string>> = {
  signature: 'signed by "acme module signing 2026" with sha256, which the given certificate confirms',
  elf: 'a relocatable ELF object with 41 sections',
  architecture: 'x86_64, as the base',
  'this-module': '896 bytes, as the modules of the base',
  'module-layout': '0x7e0d1b5c, as the kernel',
  vermagic: 'SMP preempt mod_unload modversions, as the kernel; its release does not matter',
  livepatch: 'no live patch',
  versions: '17 symbols with versions',
  symbols: 'all 17 imported symbols are there',
  'symbol-crcs': 'all 17 versions are equal',
  namespaces: 'no symbol has a namespace',
  licence: 'GPL v2 may use all of them',
  relocations: 'no common symbols',
  exports: 'exports nothing that others export',
  btf: 'no type information, which is fine',
  parameters: 'no parameters are set',
  name: 'calls itself by the name of its file',
  dependencies: 'everything it needs is in the tree',
  precedence: 'modprobe finds this file',
  dependants: 'nothing of the base depends on what it replaces',
  aliases: '31 aliases, all plain',
  firmware: 'names no firmware',
};

/** `count` imported symbols, all of them as they should be, a tenth of them from a module. */
export function symbolsOf(count: number): readonly SymbolUse[] {
  return Array.from({ length: count }, (_, index) => {
    const crc = `0x${((index * 2654435761) % 2 ** 32).toString(16).padStart(8, '0')}`;
    return {
      symbol: `${['kmalloc', 'dma_map', 'netif', 'pci_read', 'mutex_lock'][index % 5] ?? ''}_fixture_${index}`,
      status: 'ok',
      found: crc,
      wanted: crc,
      provider: index % 10 === 3 ? 'kernel/drivers/gnss/gnss.ko.xz' : 'vmlinux',
      isGplOnly: index % 2 === 0,
    };
  });
}

export function moduleOf(name: string, given: Partial<ModuleReport> = {}): ModuleReport {
  return {
    name,
    path: `extra/${name}/${name}.ko.xz`,
    verdict: 'passes',
    checks: checksOf(),
    symbols: symbolsOf(6),
    dependencies: [],
    ...given,
  };
}

export function targetOf(given: Partial<TargetReport> = {}): TargetReport {
  return {
    subject: `${IMAGE}@${digestOf('a')}`,
    kernel: K56,
    arch: 'x86_64',
    release: '4.18.4',
    verdict: 'passes',
    statement: STATIC_PASS,
    modules: [moduleOf('gnss'), iceOf()],
    overrides: [],
    findings: [],
    evidence: [
      { name: 'usr/lib/modules/6.1.0-56-amd64/symvers.gz', sizeBytes: 412_345 },
      { name: 'usr/lib/modules/6.1.0-56-amd64/modules.dep', sizeBytes: 301_201 },
      { name: 'usr/lib/modules/6.1.0-56-amd64/kernel/fs/ext4/ext4.ko.xz', sizeBytes: 398_112 },
    ],
    ...given,
  };
}

/** A network driver that needs the one above it and some modules of the base. */
export function iceOf(given: Partial<ModuleReport> = {}): ModuleReport {
  return moduleOf('ice', {
    symbols: [
      ...symbolsOf(12),
      {
        symbol: 'gnss_register_device',
        status: 'ok',
        found: '0x0badf00d',
        wanted: '0x0badf00d',
        provider: 'extra/gnss/gnss.ko.xz',
      },
      {
        symbol: 'ptp_clock_register',
        status: 'ok',
        found: '0x1badf00d',
        wanted: '0x1badf00d',
        provider: 'kernel/drivers/ptp/ptp.ko.xz',
      },
      {
        symbol: 'devlink_alloc_ns',
        status: 'ok',
        found: '0x2badf00d',
        wanted: '0x2badf00d',
        provider: 'vmlinux',
      },
    ],
    dependencies: [
      'extra/gnss/gnss.ko.xz',
      'kernel/drivers/ptp/ptp.ko.xz',
      'kernel/drivers/pps/pps_core.ko.xz',
    ],
    ...given,
  });
}

/** What a kernel says that loads one module and finds no hardware for the other. */
export function bootOf(given: Partial<BootReport> = {}): BootReport {
  const kernelLog = [
    '[    0.000000] Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)',
    '[    0.000000] secureboot: Secure boot enabled',
    '[    0.000000] Kernel is locked down from EFI Secure Boot; see man kernel_lockdown.7',
    '[    2.310221] gnss: loading out-of-tree module taints kernel.',
    '[    2.402117] ice: Intel(R) Ethernet Connection E800 Series Linux Driver - version 1.14.13',
    '[    2.611801] Loading of unsigned module is rejected',
    '[    2.702441] Loading of module with unavailable key is rejected',
    '[    2.900000] reboot: Power down',
  ];
  return {
    verdict: 'passes',
    statement: 'both modules load, and the kernel refuses all 3 copies that it must refuse',
    emulator: { version: 'QEMU emulator version 7.2.22', accelerator: 'kvm', firmware: 'OVMF_CODE_4M.ms.fd' },
    kernelRelease: K56,
    secureBoot: true,
    lockdown: 'integrity',
    isSignatureEnforced: true,
    modules: [
      { name: 'gnss', outcome: 'loaded', exitCode: 0, messages: [] },
      {
        name: 'ice',
        outcome: 'needs-hardware',
        exitCode: 1,
        messages: ["modprobe: ERROR: could not insert 'ice': No such device"],
      },
    ],
    controls: (['unsigned', 'tampered', 'wrong-key'] as const).map((kind) => ({
      name: 'gnss',
      kind,
      outcome: 'refused',
      messages: ['insmod: ERROR: could not insert module: Key was rejected by service'],
    })),
    tainted: 4096,
    taints: ['O: a module from outside of the tree was loaded'],
    loadedModules: ['gnss                   20480  0'],
    kernelLog,
    console: `\u001b[2J\u001b[01;01HBdsDxe: starting Boot0001\r\n${kernelLog.join('\r\n')}\r\n`,
    times: { initramfsMs: 412, bootMs: 6120 },
    ...given,
  };
}

const CHANGED: readonly SymbolUse[] = [
  { symbol: 'dev_change_flags', status: 'missing', found: '0x8d3f2c11' },
  {
    symbol: 'ethtool_op_get_ts_info',
    status: 'crc-changed',
    found: '0x5ad1b7f2',
    wanted: '0x1e4c00d9',
    provider: 'vmlinux',
  },
  {
    symbol: 'ptp_clock_index',
    status: 'crc-changed',
    found: '0xd3f1a7c4',
    wanted: '0x77aa1204',
    provider: 'kernel/drivers/ptp/ptp.ko.xz',
  },
  {
    symbol: 'dma_buf_get',
    status: 'namespace',
    found: '0x61d0be00',
    wanted: '0x61d0be00',
    provider: 'vmlinux',
    namespace: 'DMA_BUF',
  },
  { symbol: 'mmu_notifier_range_update', status: 'weak' },
];

/** An ice that was built for the older kernel. */
export function brokenIceOf(): ModuleReport {
  return iceOf({
    verdict: 'fails',
    symbols: [...CHANGED, ...symbolsOf(12)],
    checks: checksOf([
      {
        id: 'vermagic',
        status: 'warn',
        message: 'the release differs, which a kernel with symbol versions does not mind',
        wanted: '6.12.94+deb12-amd64 SMP preempt mod_unload modversions ',
        found: '6.1.0-56-amd64 SMP preempt mod_unload modversions ',
        provider: 'kernel/fs/ext4/ext4.ko.xz',
      },
      {
        id: 'symbols',
        status: 'fail',
        message: '1 imported symbol is exported by nothing',
        hint: 'Build the driver for 6.12.94+deb12-amd64; dev_change_flags() is gone since 6.11.',
        details: [{ subject: 'dev_change_flags', message: 'exported by nothing', found: '0x8d3f2c11' }],
      },
      {
        id: 'symbol-crcs',
        status: 'fail',
        message: '2 of 17 imported symbols have another version',
        hint: 'Build the driver with the driver-toolkit of this release.',
        details: CHANGED.filter(({ status }) => status === 'crc-changed').map(
          ({ symbol, found, wanted, provider }) => ({
            subject: symbol,
            message: 'has another version',
            wanted,
            found,
            provider,
          }),
        ),
      },
      {
        id: 'namespaces',
        status: 'fail',
        message: 'dma_buf_get is in a namespace that the module does not import',
        wanted: 'DMA_BUF',
        provider: 'vmlinux',
        hint: 'Add MODULE_IMPORT_NS("DMA_BUF"); to the source of the driver.',
      },
      { id: 'btf', status: 'skip', message: 'the base has no vmlinux to compare with' },
      {
        id: 'firmware',
        status: 'warn',
        message: '1 of 2 files of firmware is not shipped',
        details: [{ subject: 'intel/ice/ddp/ice.pkg', message: 'neither in the layer nor in the base' }],
      },
    ]),
  });
}

/** Three releases on two kernels: one booted, one that only passes, one that fails in every way. */
export function verifyReportOf(): VerifyReport {
  return {
    verdict: 'fails',
    targets: [
      targetOf({ boot: bootOf() }),
      targetOf({
        subject: `${IMAGE}@${digestOf('b')}`,
        release: '4.18.5',
        findings: [
          {
            rule: 'initramfs-older',
            severity: 'note',
            path: 'usr/lib/modules/6.1.0-56-amd64/initramfs.img',
            message: 'The initramfs holds the ice of the base; until the root is mounted, that one is used.',
          },
        ],
      }),
      targetOf({
        subject: `${IMAGE}@${digestOf('c')}`,
        release: '4.19.0',
        kernel: K612,
        verdict: 'fails',
        statement: 'ice would not load: 3 of 22 checks fail',
        modules: [moduleOf('gnss'), brokenIceOf()],
        overrides: [
          {
            name: 'ice',
            winner: 'extra/ice/ice.ko.xz',
            loser: 'kernel/drivers/net/ethernet/intel/ice/ice.ko.xz',
            dependants: [
              {
                path: 'kernel/drivers/infiniband/hw/irdma/irdma.ko.xz',
                status: 'broken',
                symbols: ['ice_add_rdma_qset', 'ice_rdma_request_reset'],
              },
              { path: 'kernel/drivers/net/ethernet/intel/ixd/ixd.ko.xz', status: 'unknown', symbols: [] },
            ],
          },
        ],
        findings: [
          {
            rule: 'dropped-path',
            severity: 'error',
            path: 'lib/modules/6.12.94+deb12-amd64/extra/ice/ice.ko.xz',
            layer: digestOf('d'),
            message: 'Files below lib/ are dropped without a word when the node imports the image',
            hint: 'Write usr/lib/modules/... instead.',
          },
          {
            rule: 'stale-index',
            severity: 'warning',
            path: 'usr/lib/modules/6.12.94+deb12-amd64/modules.dep.bin',
            layer: digestOf('d'),
            message: 'modules.dep.bin does not say what modules.dep says',
            hint: 'Run kmodlayer depmod after the last module was added.',
          },
        ],
        boot: bootOf({
          verdict: 'fails',
          statement: 'the kernel refuses ice',
          kernelRelease: K612,
          secureBoot: false,
          lockdown: undefined,
          isSignatureEnforced: false,
          emulator: { version: 'QEMU emulator version 7.2.22', accelerator: 'tcg' },
          modules: [
            { name: 'gnss', outcome: 'loaded', exitCode: 0, messages: [] },
            {
              name: 'ice',
              outcome: 'refused',
              exitCode: 1,
              messages: [
                "modprobe: ERROR: could not insert 'ice': Invalid argument",
                'ice: disagrees about version of symbol ethtool_op_get_ts_info',
              ],
            },
          ],
          controls: [],
        }),
      }),
    ],
  };
}

/** The same with every text from outside replaced; verdicts and states stay. */
export function withTexts(
  report: VerifyReport,
  replace: (text: string, path: readonly string[]) => string,
): VerifyReport {
  const closed = new Set(['verdict', 'status', 'id', 'arch', 'severity', 'outcome', 'kind', 'accelerator']);
  const walk = (value: unknown, path: readonly string[]): unknown => {
    if (typeof value === 'string') return closed.has(path.at(-1) ?? '') ? value : replace(value, path);
    if (Array.isArray(value)) return value.map((item: unknown) => walk(item, path));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]));
  };
  return walk(report, []) as VerifyReport;
}
