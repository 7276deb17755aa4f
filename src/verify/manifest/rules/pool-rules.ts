import { type Draft, reporterOf } from '../finding.ts';
import { type MachineConfig, ROLE_LABEL } from '../machine-config.ts';
import { inMergeOrder, OWN_POOLS, selectedRoles } from '../pools.ts';
import type { ManifestSet, Pool } from '../rule.ts';
import { isSameValue, type Mapping, mappingOf, textOf, textsOf, valueAt } from '../values.ts';
import { isKmmScript } from './hazards/kmm-hazards.ts';
import { jsonSize } from './object-rules.ts';

/** What the operator takes as the JSON of all that a pool merges, in bytes. */
const RENDERED_LIMIT = 1_572_864;
const RENDERED_WARNING = RENDERED_LIMIT * 0.8;

/** Rules on pools, and on MachineConfigs of one pool that fight. */
export function poolRules(set: ManifestSet, drafts: Draft[]): void {
  for (const pool of set.pools) {
    poolObject(pool, drafts);
    images(pool, set, drafts);
    kernelTypes(pool, drafts);
    kernelArguments(pool, drafts);
    clashes(pool, drafts);
    kmmTwice(pool, drafts);
    renderedSize(pool, drafts);
  }
  unselected(set, drafts);
  rendered(set, drafts);
}

function users(pool: Pool): readonly MachineConfig[] {
  return pool.configs.filter(({ origin }) => origin === 'user');
}

function poolObject({ name, manifest }: Pool, drafts: Draft[]): void {
  if (manifest === undefined || OWN_POOLS.includes(name)) return;
  const report = reporterOf(manifest, drafts);
  const path = ['spec', 'machineConfigSelector'];
  const roles = selectedRoles(mappingOf(valueAt(manifest.value, path)), ROLE_LABEL);
  if (roles.includes('master')) {
    report({
      rule: 'pool-of-masters',
      severity: 'error',
      path,
      message:
        'a custom pool cannot take nodes of the control plane: the operator supports custom pools of workers only',
      hint: 'Label the MachineConfigs for master, and remove this pool.',
    });
  } else if (roles.length > 0 && !roles.includes('worker')) {
    report({
      rule: 'pool-selector',
      severity: 'error',
      path,
      message: `the pool does not select MachineConfigs of the role worker: its nodes lose the kubelet, its certificates and all else that every worker has`,
      hint: `Select ${ROLE_LABEL} In [worker, ${name}].`,
    });
  } else if (roles.length > 0 && !roles.includes(name)) {
    report({
      rule: 'pool-selector',
      severity: 'warning',
      path,
      message: `the pool selects no MachineConfigs of its own name: those with the role ${name} reach no node`,
      hint: `Select ${ROLE_LABEL} In [worker, ${name}].`,
    });
  }
}

function images(pool: Pool, { options }: ManifestSet, drafts: Draft[]): void {
  const path = ['spec', 'osImageURL'];
  const setters = users(pool).filter(({ spec }) => textOf(spec['osImageURL']) !== undefined);
  const winner = setters.at(-1);
  if (winner === undefined) return;
  const image = (config: MachineConfig): string | undefined => textOf(config.spec['osImageURL']);
  for (const loser of setters.slice(0, -1)) {
    if (image(loser) === image(winner)) continue;
    reporterOf(
      loser.manifest,
      drafts,
    )({
      rule: 'osimageurl-overridden',
      severity: 'error',
      path,
      message: `the pool ${pool.name} boots the image of ${winner.manifest.name}, which comes later in its order: nothing of this image reaches a node`,
      hint: 'Build one image with the drivers of both, and keep one of the MachineConfigs.',
    });
  }
  if (options.release === undefined && setters.length > 1) {
    const before = inMergeOrder(setters, { major: 4, minor: 14 }).at(-1);
    if (before !== undefined && image(before) !== image(winner)) {
      reporterOf(
        winner.manifest,
        drafts,
      )({
        rule: 'merge-order',
        severity: 'warning',
        path,
        message: `from 4.15 on, this image wins in the pool ${pool.name}; before, the name alone decided, and that of ${before.manifest.name} did`,
        hint: '--openshift says which release; names that sort the same way in both orders do without.',
      });
    }
  }
  const report = reporterOf(winner.manifest, drafts);
  const stream =
    pool.manifest === undefined
      ? undefined
      : textOf(valueAt(pool.manifest.value, ['spec', 'osImageStream', 'name']));
  if (stream !== undefined) {
    report({
      rule: 'osimageurl-stream',
      severity: 'error',
      path,
      message: `the pool ${pool.name} also asks for the stream ${stream}: "cannot override MachineConfig osImageURL and set MachineConfigPool spec.osImageStream.name simultaneously", and the pool degrades`,
      hint: 'Remove spec.osImageStream from the pool, and build the image on the OS image of that stream.',
    });
  }
  const type = kernelTypeOf(users(pool))?.type;
  if (type !== undefined) {
    report({
      rule: 'osimageurl-kernel-type',
      severity: 'error',
      path,
      message: `kernelType is ${type} in the pool ${pool.name}: nodes take the kernel of the image out and install another from the extensions, and modules that the image has are not for that one`,
      hint: 'Use an image whose own kernel is the one that is wanted, or load modules for it as Day 1 or Day 2 does.',
    });
  }
  const extending = users(pool).find(({ spec }) => textsOf(spec['extensions']).length > 0);
  if (
    extending !== undefined &&
    users(pool).every(({ spec }) => textOf(spec['baseOSExtensionsContainerImage']) === undefined)
  ) {
    report({
      rule: 'osimageurl-extensions',
      severity: 'warning',
      path,
      message: `${extending.manifest.name} installs extensions in the pool ${pool.name}: they come from the release of the cluster, and cannot be installed once this image is of another build`,
      hint: 'Set baseOSExtensionsContainerImage to the extensions of the release that the image was built on.',
    });
  }
}

function kernelTypeOf(
  configs: readonly MachineConfig[],
): { readonly type: string; readonly config: MachineConfig } | undefined {
  const config = configs.findLast(({ spec }) =>
    ['realtime', '64k-pages'].includes(textOf(spec['kernelType']) ?? ''),
  );
  return config === undefined ? undefined : { type: textOf(config.spec['kernelType']) ?? '', config };
}

function kernelTypes(pool: Pool, drafts: Draft[]): void {
  const winner = kernelTypeOf(users(pool));
  if (winner === undefined) return;
  for (const config of users(pool)) {
    const type = textOf(config.spec['kernelType']);
    if (type !== undefined && type !== winner.type) {
      reporterOf(
        config.manifest,
        drafts,
      )({
        rule: 'kernel-type-differs',
        severity: 'warning',
        path: ['spec', 'kernelType'],
        message: `the pool ${pool.name} gets ${winner.type} from ${winner.config.manifest.name}: this one changes nothing`,
        hint: 'Keep one of them.',
      });
    }
    textsOf(config.spec['extensions']).forEach((name, at) => {
      if (name !== 'kernel-devel') return;
      reporterOf(
        config.manifest,
        drafts,
      )({
        rule: 'kernel-devel',
        severity: 'error',
        path: ['spec', 'extensions', at],
        message: `kernelType is ${winner.type} in the pool ${pool.name}: "installing kernel-devel extension is not supported with kernelType", and the pool degrades`,
        hint: 'Build modules with the driver-toolkit of the release.',
      });
    });
  }
}

/** Arguments that may stand several times. */
const REPEATABLE =
  /^(?:console|earlycon|hugepages|hugepagesz|ip|nameserver|rd\..*|vfio-pci\.ids|module_blacklist|modules_load|modprobe\.blacklist|systemd\..*|initcall_blacklist|pci|usbcore\.quirks|ostree|root|luks\..*|zfcp\..*)$/;

function kernelArguments(pool: Pool, drafts: Draft[]): void {
  const seen = new Map<string, { readonly argument: string; readonly config: MachineConfig }>();
  for (const config of users(pool)) {
    textsOf(config.spec['kernelArguments']).forEach((text, at) => {
      for (const argument of text.slice(0, 4096).match(/(?:[^\s"]|"[^"]*")+/g) ?? []) {
        const key = argument.split('=')[0] ?? '';
        const before = seen.get(key);
        seen.set(key, { argument, config });
        if (before === undefined || (REPEATABLE.test(key) && before.argument !== argument)) continue;
        const where =
          before.config === config ? 'in this MachineConfig' : `in ${before.config.manifest.name}`;
        const isSame = before.argument === argument;
        reporterOf(
          config.manifest,
          drafts,
        )({
          rule: isSame ? 'kernel-argument-doubled' : 'kernel-argument-contradicts',
          severity: isSame ? 'note' : 'warning',
          path: ['spec', 'kernelArguments', at],
          message: isSame
            ? `${argument.slice(0, 100)} stands ${where} already: nodes get it twice, and removing one of them is a reboot`
            : `${argument.slice(0, 100)} follows ${before.argument.slice(0, 100)} ${where}: nodes of the pool ${pool.name} get both, and most programs go by the last`,
          hint: 'Keep one of them.',
        });
      }
    });
  }
}

function clashes(pool: Pool, drafts: Draft[]): void {
  const files = new Map<string, { readonly value: unknown; readonly config: MachineConfig }>();
  const units = new Map<string, { readonly contents: string; readonly config: MachineConfig }>();
  for (const config of users(pool).toReversed()) {
    const report = reporterOf(config.manifest, drafts);
    for (const { path, value, at } of config.files) {
      if (path === '') continue;
      const winner = files.get(path);
      if (winner === undefined) files.set(path, { value, config });
      else if (winner.config !== config && !isSameFile(winner.value, value)) {
        report({
          rule: 'file-overridden',
          severity: 'warning',
          path: [...at, 'path'],
          message: `the pool ${pool.name} takes ${path} from ${winner.config.manifest.name}, which comes later in its order: this one reaches no node`,
          hint: 'Write one of them to another path, or keep one MachineConfig.',
        });
      }
    }
    for (const { name, contents, at } of config.units) {
      if (contents === undefined) continue;
      const winner = units.get(name);
      if (winner === undefined) units.set(name, { contents, config });
      else if (winner.config !== config && winner.contents !== contents) {
        report({
          rule: 'unit-overridden',
          severity: 'warning',
          path: [...at, 'name'],
          message: `the pool ${pool.name} takes ${name} from ${winner.config.manifest.name}, which comes later in its order: these contents reach no node`,
          hint: 'Give each unit its own name, or use a drop-in.',
        });
      }
    }
  }
}

function isSameFile(left: unknown, right: unknown): boolean {
  return isSameValue(left as Parameters<typeof isSameValue>[0], right as Parameters<typeof isSameValue>[1]);
}

function kmmTwice(pool: Pool, drafts: Draft[]): void {
  const [first, ...others] = users(pool).filter(({ files }) => files.some(isKmmScript));
  for (const config of others) {
    reporterOf(
      config.manifest,
      drafts,
    )({
      rule: 'kmm-day1-twice',
      severity: 'error',
      path: [],
      message: `nodes of the pool ${pool.name} get the Day 1 units of ${first?.manifest.name ?? ''} as well: both start at once, with the same pod, volume and configuration file, and each reboots by itself`,
      hint: 'Load both modules from one MachineConfig: kmodlayer machine-config day1.',
    });
  }
}

function renderedSize(pool: Pool, drafts: Draft[]): void {
  // What overrides stands once: files by path, units by name.
  const parts = new Map<string, Mapping>();
  for (const { files, units } of pool.configs) {
    for (const { path, value } of files) parts.set(path, value);
    for (const { name, value } of units) parts.set(name, value);
  }
  let size = 1024;
  for (const value of parts.values()) size += jsonSize(value) + 1;
  if (size <= RENDERED_WARNING) return;
  const [largest] = users(pool).toSorted((a, b) => jsonSize(b.spec) - jsonSize(a.spec));
  if (largest === undefined) return;
  sizeFinding(
    size,
    { manifest: largest.manifest, what: `what the pool ${pool.name} merges`, path: ['spec'] },
    drafts,
  );
}

function rendered({ machineConfigs }: ManifestSet, drafts: Draft[]): void {
  for (const { origin, manifest } of machineConfigs) {
    if (origin === 'rendered')
      sizeFinding(jsonSize(manifest.value), { manifest, what: manifest.name, path: [] }, drafts);
  }
}

function sizeFinding(
  size: number,
  { manifest, what, path }: Pick<Draft, 'manifest' | 'path'> & { readonly what: string },
  drafts: Draft[],
): void {
  if (size <= RENDERED_WARNING) return;
  const isTooLarge = size > RENDERED_LIMIT;
  drafts.push({
    manifest,
    path,
    rule: 'rendered-too-large',
    severity: isTooLarge ? 'error' : 'warning',
    message: `${what} has about ${size} bytes as JSON, ${isTooLarge ? `and the operator takes no more than ${RENDERED_LIMIT}: the pool degrades` : `which is ${Math.floor((100 * size) / RENDERED_LIMIT)} % of what the operator takes`}`,
    hint: 'Pack large files with gzip, or ship them in a layered image.',
  });
}

function unselected({ machineConfigs, pools, manifests, options }: ManifestSet, drafts: Draft[]): void {
  if (options.pool !== undefined) return;
  const hasPools = manifests.some(({ kind }) => kind === 'MachineConfigPool');
  const selected = new Set(
    pools.filter(({ manifest }) => manifest !== undefined).flatMap(({ configs }) => configs),
  );
  for (const config of machineConfigs) {
    const { role, origin, manifest } = config;
    if (origin !== 'user' || role === undefined || selected.has(config) || OWN_POOLS.includes(role)) continue;
    reporterOf(
      manifest,
      drafts,
    )({
      rule: 'role-unselected',
      severity: hasPools ? 'error' : 'note',
      path: ['metadata', 'labels', ROLE_LABEL],
      message: hasPools
        ? `no MachineConfigPool among these selects the role ${role.slice(0, 63)}: it reaches no node, and nothing says so`
        : `the role ${role.slice(0, 63)} needs a MachineConfigPool that selects it, and none is among these`,
      hint: `Make a pool ${role.slice(0, 63)} that selects ${ROLE_LABEL} In [worker, ${role.slice(0, 63)}].`,
    });
  }
}
