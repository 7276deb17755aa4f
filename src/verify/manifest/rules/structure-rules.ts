import { type Draft, reporterOf, type Report } from '../finding.ts';
import type { ManifestSet } from '../rule.ts';
import { isMapping, textOf, type Value, valueAt, type ValuePath } from '../values.ts';

/** What a place in a config may hold; `null` may stand everywhere but in lists. */
type Shape =
  'text' | 'whole number' | 'yes or no' | 'anything' | readonly [Shape] | { readonly [key: string]: Shape };

const RESOURCE: Shape = {
  source: 'text',
  compression: 'text',
  httpHeaders: [{ name: 'text', value: 'text' }],
  verification: { hash: 'text' },
};
const OWNER: Shape = { id: 'whole number', name: 'text' };
// Modes have a rule of their own.
const NODE = { path: 'text', overwrite: 'yes or no', user: OWNER, group: OWNER } as const;

/** What is for installation alone is not looked into: another rule says so. @see ignition, `config/v3_5/schema/ignition.json` */
const CONFIG: Shape = {
  ignition: {
    version: 'anything',
    config: { merge: [RESOURCE], replace: RESOURCE },
    timeouts: { httpResponseHeaders: 'whole number', httpTotal: 'whole number' },
    security: { tls: { certificateAuthorities: [RESOURCE] } },
    proxy: { httpProxy: 'text', httpsProxy: 'text', noProxy: ['text'] },
  },
  storage: {
    disks: ['anything'],
    raid: ['anything'],
    luks: ['anything'],
    filesystems: ['anything'],
    files: [{ ...NODE, mode: 'anything', contents: RESOURCE, append: [RESOURCE] }],
    directories: [{ ...NODE, mode: 'anything' }],
    links: [{ ...NODE, target: 'text', hard: 'yes or no' }],
  },
  systemd: {
    units: [
      {
        name: 'text',
        enabled: 'yes or no',
        mask: 'yes or no',
        contents: 'text',
        dropins: [{ name: 'text', contents: 'text' }],
      },
    ],
  },
  passwd: {
    users: [
      {
        name: 'text',
        passwordHash: 'text',
        sshAuthorizedKeys: ['text'],
        uid: 'whole number',
        gecos: 'text',
        homeDir: 'text',
        noCreateHome: 'yes or no',
        primaryGroup: 'text',
        groups: ['text'],
        noUserGroup: 'yes or no',
        system: 'yes or no',
        noLogInit: 'yes or no',
        shell: 'text',
        shouldExist: 'yes or no',
      },
    ],
    groups: [
      {
        name: 'text',
        gid: 'whole number',
        passwordHash: 'text',
        system: 'yes or no',
        shouldExist: 'yes or no',
      },
    ],
  },
  kernelArguments: { shouldExist: ['text'], shouldNotExist: ['text'] },
};

/** Rules on the fields and types of Ignition configs. */
export function structureRules({ machineConfigs }: ManifestSet, drafts: Draft[]): void {
  for (const { origin, config, manifest } of machineConfigs) {
    const version = textOf(valueAt(config, ['ignition', 'version'])) ?? '3';
    if (origin !== 'user' || config === undefined || !version.startsWith('3')) continue;
    visit(config, CONFIG, ['spec', 'config'], reporterOf(manifest, drafts));
  }
}

function visit(value: Value, shape: Shape, path: ValuePath, report: Report): void {
  if (shape === 'anything' || (value === null && typeof path.at(-1) !== 'number')) return;
  const wrong = (wanted: string): void => {
    report({
      rule: 'ignition-structure',
      severity: 'error',
      path,
      message: `${wanted} has to stand here: the config cannot be read, and the pool degrades`,
      hint: 'See the specification of Ignition for what the field takes.',
    });
  };
  switch (shape) {
    case 'text':
      if (typeof value !== 'string') wrong('a text');
      return;
    case 'whole number':
      if (!Number.isInteger(value)) wrong('a whole number');
      return;
    case 'yes or no':
      if (typeof value !== 'boolean') wrong('true or false');
      return;
    default:
  }
  if (isList(shape)) {
    if (Array.isArray(value))
      (value as readonly Value[]).forEach((item, at) => {
        visit(item, shape[0], [...path, at], report);
      });
    else wrong('a list');
    return;
  }
  if (!isMapping(value)) {
    wrong('a mapping');
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    const known = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (known !== undefined) visit(inner, known, [...path, key], report);
    else {
      report({
        rule: 'ignition-structure',
        severity: 'warning',
        path: [...path, key],
        message: `Ignition has no field ${JSON.stringify(key.slice(0, 60))} here: it does nothing`,
        hint: `Fields here are ${Object.keys(shape).join(', ')}.`,
      });
    }
  }
}

function isList(shape: Exclude<Shape, string>): shape is readonly [Shape] {
  return Array.isArray(shape);
}
