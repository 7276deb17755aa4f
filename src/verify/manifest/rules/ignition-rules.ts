import { reporterOf, type Draft, type Report } from '../finding.ts';
import type { MachineConfig } from '../machine-config.ts';
import { findNode } from '../read-manifests.ts';
import { formatMinor, isAtLeast, type Minor } from '../release.ts';
import type { ManifestSet } from '../rule.ts';
import { isOctal } from '../to-value.ts';
import { isMapping, listOf, mappingOf, textOf, type Value, valueAt, type ValuePath } from '../values.ts';
import { isScalar } from 'yaml';

const CONFIG: ValuePath = ['spec', 'config'];

/** The first release that takes a version of Ignition's configs; undefined for those that none takes. */
const SINCE: ReadonlyMap<string, Minor> = new Map([
  ['3.0.0', { major: 4, minor: 6 }],
  ['3.1.0', { major: 4, minor: 6 }],
  ['3.2.0', { major: 4, minor: 8 }],
  ['3.3.0', { major: 4, minor: 14 }],
  ['3.4.0', { major: 4, minor: 14 }],
  ['3.5.0', { major: 4, minor: 19 }],
]);

/** Rules on the version of Ignition configs, and on what a pool never takes over once its nodes run. */
export function ignitionRules({ machineConfigs, options }: ManifestSet, drafts: Draft[]): void {
  for (const config of machineConfigs) {
    if (config.origin !== 'user') continue;
    const report = reporterOf(config.manifest, drafts);
    if (config.spec['config'] === undefined || config.spec['config'] === null) continue;
    if (config.config === undefined) {
      report({
        rule: 'ignition-structure',
        severity: 'error',
        path: CONFIG,
        message: 'spec.config is no mapping: it is not an Ignition config',
        hint: 'Write the config itself here, not its text.',
      });
      continue;
    }
    if (Object.keys(config.config).length === 0) continue;
    version(config, options.release, report);
    unreconcilable(config, report);
    for (const { at, value } of config.files) mode(config, [...at, 'mode'], value['mode'], report);
  }
}

function version({ config }: MachineConfig, release: Minor | undefined, report: Report): void {
  const found = valueAt(config, ['ignition', 'version']);
  const say = (severity: 'error' | 'warning', message: string, hint: string): void => {
    const path = found === undefined ? [...CONFIG] : [...CONFIG, 'ignition', 'version'];
    report({ rule: 'ignition-version', severity, path, message, hint });
  };
  const hint = 'Write 3.2.0, which every release from 4.8 on takes, unless the config needs something newer.';
  if (typeof found !== 'string') {
    say(
      'error',
      'ignition.version is missing or no text: the config is refused, and the pool degrades',
      hint,
    );
    return;
  }
  if (/^2\.\d+\.\d+$/.test(found)) {
    say(
      'warning',
      `version ${found} is of the old form of Ignition: the operator translates 2.2, and loses what it cannot`,
      hint,
    );
    return;
  }
  const since = SINCE.get(found);
  if (since === undefined) {
    say(
      'error',
      `no release takes Ignition ${JSON.stringify(found.slice(0, 30))}: "unsupported config version", and the pool degrades`,
      hint,
    );
  } else if (release === undefined) {
    if (isAtLeast(since, 4, 9))
      say(
        'warning',
        `Ignition ${found} needs OpenShift ${formatMinor(since)} or later, and earlier releases refuse it; which release this is for was not said`,
        `${hint} --openshift says the release.`,
      );
  } else if (!isAtLeast(release, since.major, since.minor)) {
    say(
      'error',
      `OpenShift ${formatMinor(release)} does not take Ignition ${found}, which needs ${formatMinor(since)}: "unsupported config version", and the pool degrades`,
      hint,
    );
  }
}

/** Parts of a config that nodes only ever take when they are installed. */
const PARTS: readonly (readonly [path: ValuePath, instead: string])[] = [
  [['storage', 'disks'], 'disks are partitioned when a node is installed'],
  [['storage', 'raid'], 'arrays are made when a node is installed'],
  [['storage', 'filesystems'], 'file systems are made when a node is installed'],
  [['storage', 'luks'], 'disks are encrypted when a node is installed'],
  [['storage', 'directories'], 'write a file into the directory, and it is made with mode 0755'],
  [['storage', 'links'], 'make the link from a unit'],
  [['ignition', 'config'], 'write what it would merge into this config'],
  [['ignition', 'timeouts'], 'nodes that run fetch nothing'],
  [['ignition', 'security'], 'use the additionalTrustBundle of the cluster'],
  [['ignition', 'proxy'], 'use the Proxy of the cluster'],
  [['kernelArguments'], 'use spec.kernelArguments of the MachineConfig'],
  [['passwd', 'groups'], 'groups are made when a node is installed'],
];

function unreconcilable({ config, manifest }: MachineConfig, report: Report): void {
  const severity = manifest.isLive ? 'note' : 'error';
  const say = (path: ValuePath, what: string, hint: string): void => {
    report({
      rule: 'unreconcilable',
      severity,
      path: [...CONFIG, ...path],
      message: `${what} of an Ignition config takes effect when a node is installed, and never after: a pool with nodes degrades ("unreconcilable")`,
      hint: `${hint.charAt(0).toUpperCase()}${hint.slice(1)}; at installation, it can stand in openshift/ of the installer's manifests.`,
    });
  };
  for (const [path, instead] of PARTS)
    if (!isEmpty(valueAt(config, path))) say(path, path.join('.'), instead);
  listOf(valueAt(config, ['passwd', 'users'])).forEach((item, at) => {
    const user = mappingOf(item);
    const path = ['passwd', 'users', at];
    if (user['name'] !== 'core') {
      say(
        path,
        `the user ${JSON.stringify((textOf(user['name']) ?? '').slice(0, 40))}`,
        'only keys and password of core can be changed',
      );
      return;
    }
    for (const key of Object.keys(user)) {
      if (['name', 'sshAuthorizedKeys', 'passwordHash'].includes(key) || isEmpty(user[key])) continue;
      say(
        [...path, key],
        `${key.slice(0, 40)} of the user core`,
        'only sshAuthorizedKeys and passwordHash of core can be changed',
      );
    }
  });
}

function isEmpty(value: Value | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isMapping(value) && Object.values(value).every(isEmpty);
}

/** Modes that people mean, in the decimal spelling that Ignition wants. */
const USUAL: ReadonlyMap<number, string> = new Map(
  [
    '0400',
    '0440',
    '0444',
    '0500',
    '0550',
    '0555',
    '0600',
    '0640',
    '0644',
    '0660',
    '0664',
    '0700',
    '0750',
    '0755',
    '0770',
    '0775',
    '0777',
  ].map((octal) => [Number.parseInt(octal, 8), octal]),
);

function mode({ manifest }: MachineConfig, path: ValuePath, value: Value | undefined, report: Report): void {
  if (value === undefined || value === null) return;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0o7777) {
    const isText = typeof value === 'string' && /^0?o?[0-7]{3,4}$/.test(value);
    report({
      rule: 'mode-invalid',
      severity: 'error',
      path,
      message: isText
        ? `the mode is the text ${JSON.stringify(value)}: Ignition takes a number, and refuses the config`
        : 'the mode is no whole number from 0 to 4095: the config is refused',
      hint: isText
        ? `Write ${decimalOf(value)}, which is ${value.replace(/^0?o?/, '0')} as a decimal number.`
        : 'Write a decimal number, such as 420 for 0644.',
    });
    return;
  }
  const { node } = findNode(manifest.tree, [...manifest.base, ...path]);
  const source = isScalar(node) ? (node.source ?? '') : '';
  if (isOctal(source)) {
    // Kubernetes has read it as octal. Was it a decimal number already?
    const digits = source.replace(/^[-+]?0+/, '');
    const meant = USUAL.get(Number(digits));
    if (meant !== undefined && !USUAL.has(value)) {
      report({
        rule: 'mode-octal',
        severity: 'error',
        path,
        message: `${source} begins with 0 and is read as octal: the file gets mode ${octalOf(value)}, not the ${meant} that ${digits} is`,
        hint: `Write ${digits}.`,
      });
      return;
    }
    report({
      rule: 'mode-octal',
      severity: 'warning',
      path,
      message: `${source} is ${value} to oc, and ${digits} to tools that read YAML 1.2 or JSON: what the file gets depends on who applies it`,
      hint: `Write ${value}.`,
    });
  }
  const digits = String(value);
  const looksOctal =
    /^[0-7]{3,4}$/.test(digits) &&
    USUAL.has(Number.parseInt(digits, 8)) &&
    !USUAL.has(value) &&
    !isOctal(source);
  if (looksOctal) {
    report({
      rule: 'mode-decimal',
      severity: value > 0o777 ? 'error' : 'warning',
      path,
      message: `${digits} is read as a decimal number: it is mode ${octalOf(value)}${value > 0o777 ? ', and the Machine Config Operator refuses modes beyond 0777' : ''}`,
      hint: `Write ${Number.parseInt(digits, 8)}, which is 0${digits} as a decimal number.`,
    });
  } else if (value > 0o777) {
    report({
      rule: 'mode-too-large',
      severity: 'error',
      path,
      message: `mode ${octalOf(value)} has the setuid, setgid or sticky bit: the Machine Config Operator refuses modes beyond 0777, and the pool degrades`,
      hint: 'Leave the bits out; set them from a unit when a program needs them.',
    });
  } else if ((value & 0o002) !== 0) {
    report({
      rule: 'mode-world-writable',
      severity: 'warning',
      path,
      message: `mode ${octalOf(value)} lets every process of the node change the file`,
      hint: `Write ${value & ~0o022}, which is ${octalOf(value & ~0o022)}.`,
    });
  }
}

function octalOf(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function decimalOf(text: string): number {
  return Number.parseInt(text.replace(/^0?o?/, ''), 8);
}
