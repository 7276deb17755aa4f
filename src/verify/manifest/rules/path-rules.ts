import { posix } from 'node:path';
import { type Draft, reporterOf, type Report } from '../finding.ts';
import type { MachineConfig } from '../machine-config.ts';
import type { ManifestSet } from '../rule.ts';
import { listOf, mappingOf, textOf, valueAt, type ValuePath } from '../values.ts';

/** Files that something else on the node writes: the daemon finds them changed, and the pool degrades. */
const REWRITTEN: ReadonlyMap<string, string> = new Map([
  ['/etc/resolv.conf', 'NetworkManager'],
  ['/etc/machine-id', 'systemd'],
  ['/etc/mtab', 'the base, where it is a link'],
  ['/etc/os-release', 'the base, where it is a link'],
  ['/etc/localtime', 'the base, where it is a link'],
  ['/etc/adjtime', 'hwclock'],
  ['/etc/passwd', 'useradd'],
  ['/etc/shadow', 'passwd'],
  ['/etc/group', 'groupadd'],
  ['/etc/gshadow', 'groupadd'],
  ['/etc/ld.so.cache', 'ldconfig'],
  ['/etc/ignition-machine-config-encapsulated.json', 'the first boot'],
  ['/etc/mco/proxy.env', 'the Machine Config Operator, from the Proxy of the cluster'],
  ['/etc/kubernetes/kubelet.conf', 'the Machine Config Operator, from KubeletConfigs'],
  ['/var/lib/kubelet/config.json', 'the Machine Config Operator, from the pull secret of the cluster'],
  [
    '/etc/containers/registries.conf',
    'the Machine Config Operator, from mirror sets and the Image of the cluster',
  ],
]);

interface Placed {
  readonly path: string;
  readonly at: ValuePath;
  readonly kind: 'file' | 'directory' | 'link';
}

/** Rules on where files go. */
export function pathRules({ machineConfigs }: ManifestSet, drafts: Draft[]): void {
  for (const config of machineConfigs) {
    if (config.origin !== 'user') continue;
    const report = reporterOf(config.manifest, drafts);
    const placed = entriesOf(config);
    for (const entry of placed) alone(entry, report);
    together(placed, report);
    besideUnits(config, placed, report);
  }
}

function entriesOf({ config, files }: MachineConfig): readonly Placed[] {
  const others = (['directories', 'links'] as const).flatMap((key) =>
    listOf(valueAt(config, ['storage', key])).map((entry, at): Placed => ({
      path: textOf(mappingOf(entry)['path']) ?? '',
      at: ['spec', 'config', 'storage', key, at, 'path'],
      kind: key === 'links' ? 'link' : 'directory',
    })),
  );
  return [...files.map(({ path, at }): Placed => ({ path, at: [...at, 'path'], kind: 'file' })), ...others];
}

function alone({ path, at }: Placed, report: Report): void {
  if (!path.startsWith('/')) {
    report({
      rule: 'path-not-absolute',
      severity: 'error',
      path: at,
      message:
        path === ''
          ? 'there is no path: the config is refused'
          : 'the path is not absolute: the config is refused',
      hint: 'Write the path from the root of the node, such as /etc/modprobe.d/ice.conf.',
    });
    return;
  }
  if (posix.normalize(path).replace(/(.)\/$/, '$1') !== path) {
    report({
      rule: 'path-not-clean',
      severity: 'error',
      path: at,
      message: 'the path has "//", "." or ".." in it, or ends with "/": "path is not fully simplified"',
      hint: `Write ${posix
        .normalize(path)
        .replace(/(.)\/$/, '$1')
        .slice(0, 200)}.`,
    });
    return;
  }
  if (path === '/run/machine-config-daemon-force') {
    report({
      rule: 'path-forbidden',
      severity: 'error',
      path: at,
      message:
        'this file makes the daemon skip its checks, and no MachineConfig may write it: the pool degrades',
      hint: 'Touch it on the one node that needs it: oc debug node/NAME -- touch /host/run/machine-config-daemon-force.',
    });
  } else if (/^\/(?:usr\/(?!local\/)|(?:bin|sbin|lib|lib64)\/)/.test(path)) {
    report({
      rule: 'path-read-only',
      severity: 'error',
      path: at,
      message: '/usr is read-only on nodes: the daemon cannot write the file, and the pool degrades',
      hint: 'Use /etc, /var or /usr/local; what has to be below /usr belongs into a layered image.',
    });
  } else if (/^\/(?:run|tmp|proc|sys|dev)\//.test(path)) {
    report({
      rule: 'path-volatile',
      severity: 'warning',
      path: at,
      message:
        'the file is gone after the next boot: the daemon then finds it missing, and the pool degrades',
      hint: 'Use /etc or /var; tmpfiles.d makes files below /run at each boot.',
    });
  } else if (REWRITTEN.has(path)) {
    report({
      rule: 'path-rewritten',
      severity: 'warning',
      path: at,
      message: `${path} is written by ${REWRITTEN.get(path) ?? ''} as well: the daemon compares it byte by byte, and the pool degrades once it differs`,
      hint: 'Change it through what writes it.',
    });
  }
}

function together(placed: readonly Placed[], report: Report): void {
  const seen = new Map<string, Placed>();
  const links = new Set(placed.filter(({ kind }) => kind === 'link').map(({ path }) => path));
  for (const entry of placed) {
    const { path, at, kind } = entry;
    if (path === '') continue;
    const before = seen.get(path);
    if (before === undefined) seen.set(path, entry);
    else {
      report({
        rule: 'path-duplicate',
        severity: 'error',
        path: at,
        message: `${path} is written twice in this config (before as a ${before.kind}, here as a ${kind}): "duplicate entry defined"`,
        hint: 'Keep one of them.',
      });
    }
    if (links.size === 0) continue;
    const parts = path.split('/');
    const link = parts
      .map((_, length) => parts.slice(0, length).join('/'))
      .find((parent) => links.has(parent));
    if (link === undefined) continue;
    report({
      rule: 'path-through-link',
      severity: 'error',
      path: at,
      message: `${path} leads through ${link}, which is a link in this config: "file path includes link in config"`,
      hint: 'Write the path that the link leads to.',
    });
  }
}

function besideUnits({ units }: MachineConfig, placed: readonly Placed[], report: Report): void {
  const paths = new Set<string>();
  for (const { name, contents, dropIns } of units) {
    if (contents !== undefined) paths.add(`/etc/systemd/system/${name}`);
    for (const dropIn of dropIns)
      if (dropIn.contents !== undefined) paths.add(`/etc/systemd/system/${name}.d/${dropIn.name}`);
  }
  for (const { path, at } of placed) {
    if (!paths.has(path)) continue;
    report({
      rule: 'path-is-unit',
      severity: 'error',
      path: at,
      message: `${path} is a unit or drop-in of this config, too: "path conflicts with systemd unit or dropin"`,
      hint: 'Keep the unit, and remove the file.',
    });
  }
}
