import { OciError } from '../../../errors.ts';
import { parseReference } from '../../../oci/reference.ts';
import { type Draft, reporterOf, type Report } from '../finding.ts';
import { MACHINE_CONFIG_API, ROLE_LABEL } from '../machine-config.ts';
import type { Manifest } from '../manifest.ts';
import type { ManifestSet } from '../rule.ts';
import {
  isMapping,
  listOf,
  type Mapping,
  mappingOf,
  textOf,
  type Value,
  valueAt,
  type ValuePath,
} from '../values.ts';

/** Rules on objects of the Machine Config Operator beside MachineConfigs and pools. */
export function operatorRules({ manifests }: ManifestSet, drafts: Draft[]): void {
  for (const manifest of manifests) {
    const report = reporterOf(manifest, drafts);
    const { kind, apiVersion } = manifest;
    if (kind === 'MachineConfiguration' && apiVersion === 'operator.openshift.io/v1')
      disruptionPolicy(manifest, report);
    if (apiVersion !== MACHINE_CONFIG_API) continue;
    if (kind === 'PinnedImageSet') pinnedImages(manifest, report);
    if (kind === 'MachineOSConfig') osConfig(manifest, report);
  }
}

const ACTIONS: readonly string[] = ['Reboot', 'Drain', 'Reload', 'Restart', 'DaemonReload', 'None'];

const SERVICE =
  /^[a-zA-Z0-9:._\\-]+\.(?:service|socket|device|mount|automount|swap|target|path|timer|snapshot|slice|scope)$/;

function disruptionPolicy({ name, value }: Manifest, report: Report): void {
  const base: ValuePath = ['spec', 'nodeDisruptionPolicy'];
  const policy = valueAt(value, base);
  if (policy === undefined) return;
  const say = (path: ValuePath, message: string, hint: string): void => {
    report({ rule: 'disruption-policy', severity: 'error', path, message, hint });
  };
  if (name !== 'cluster')
    say(['metadata', 'name'], 'only the MachineConfiguration named cluster is read', 'Name it cluster.');
  for (const [key, identity] of [
    ['files', 'path'],
    ['units', 'name'],
  ] as const) {
    const entries = listOf(valueAt(policy, [key]));
    if (entries.length > 50)
      say(
        [...base, key],
        `there are ${entries.length} entries, and the API server takes 50`,
        key === 'files'
          ? 'Name a directory: the closest path above a file counts.'
          : 'Keep those that need a policy.',
      );
    const seen = new Set<string>();
    entries.forEach((entry, at) => {
      const subject = textOf(mappingOf(entry)[identity]) ?? '';
      const path = [...base, key, at];
      if (seen.has(subject))
        say(
          [...path, identity],
          `${subject.slice(0, 100)} stands twice: the API server refuses it`,
          'Keep one of them.',
        );
      seen.add(subject);
      if (key === 'files' && !subject.startsWith('/'))
        say([...path, identity], 'the path is not absolute', 'Write the path from the root of the node.');
      if (key === 'units' && !SERVICE.test(subject))
        say([...path, identity], 'the name is none of a unit', 'Write a name such as load-ice.service.');
      actions(mappingOf(entry), path, say);
    });
  }
  const sshkey = valueAt(policy, ['sshkey']);
  if (isMapping(sshkey)) actions(sshkey, [...base, 'sshkey'], say);
}

type Say = (path: ValuePath, message: string, hint: string) => void;

function actions(entry: Mapping, path: ValuePath, say: Say): void {
  const list = listOf(entry['actions']).map(mappingOf);
  const types = list.map((action) => textOf(action['type']) ?? '');
  if (list.length === 0)
    say(
      path,
      'there are no actions: the API server refuses it',
      'Write actions: [{ type: None }], or what has to be done.',
    );
  if (list.length > 10)
    say(
      [...path, 'actions'],
      `there are ${list.length} actions, and the API server takes 10`,
      'Keep those that are needed.',
    );
  list.forEach((action, at) => {
    const type = types[at] ?? '';
    const here = [...path, 'actions', at];
    if (!ACTIONS.includes(type)) {
      say(
        [...here, 'type'],
        `${JSON.stringify(type.slice(0, 40))} is no action`,
        `Actions are ${ACTIONS.join(', ')}.`,
      );
      return;
    }
    if ((type === 'Reboot' || type === 'None') && list.length > 1)
      say([...here, 'type'], `${type} cannot stand beside other actions`, 'Keep it alone, or remove it.');
    if (type !== 'Reload' && type !== 'Restart') return;
    const service = textOf(mappingOf(action[type.toLowerCase()])['serviceName']);
    if (service === undefined || !SERVICE.test(service))
      say(
        here,
        `${type} does not say of which service`,
        `Write ${type.toLowerCase()}: { serviceName: NAME.service }.`,
      );
  });
}

function pinnedImages({ value }: Manifest, report: Report): void {
  if (textOf(valueAt(value, ['metadata', 'labels', ROLE_LABEL])) === undefined) {
    report({
      rule: 'role-label-missing',
      severity: 'error',
      path: ['metadata'],
      message: `it has no label ${ROLE_LABEL}: it is for no pool, and nothing is pinned`,
      hint: `Label it ${ROLE_LABEL}: worker, or with the name of its pool.`,
    });
  }
  listOf(valueAt(value, ['spec', 'pinnedImages'])).forEach((image, at) => {
    const name = textOf(mappingOf(image)['name']) ?? '';
    if (isByDigest(name)) return;
    report({
      rule: 'pinned-image-tag',
      severity: 'error',
      path: ['spec', 'pinnedImages', at, 'name'],
      message: 'the image is not named by digest alone: the API server refuses the set',
      hint: 'Write HOST/REPOSITORY@sha256:... .',
    });
  });
}

/** How many containerFile entries there may be, and how long each. */
const MAX_CONTAINERFILES = 4;
const MAX_CONTAINERFILE = 4096;

function osConfig({ name, value }: Manifest, report: Report): void {
  const spec = mappingOf(value['spec']);
  const metadata = mappingOf(value['metadata']);
  const say = (path: ValuePath, message: string, hint: string): void => {
    report({ rule: 'machine-os-config', severity: 'error', path, message, hint });
  };
  const pool = textOf(valueAt(spec, ['machineConfigPool', 'name']));
  if (pool !== name)
    say(
      ['spec', 'machineConfigPool', 'name'],
      `the pool is ${pool ?? 'not named'}, and a MachineOSConfig has to have the name of its pool`,
      `Name both ${pool ?? name}.`,
    );
  const builder = valueAt(spec, ['imageBuilder', 'imageBuilderType']);
  if (builder !== 'Job')
    say(
      ['spec', 'imageBuilder', 'imageBuilderType'],
      'Job is the only way of building that there is',
      'Write imageBuilderType: Job.',
    );
  if (textOf(valueAt(spec, ['renderedImagePushSecret', 'name'])) === undefined)
    say(
      ['spec', 'renderedImagePushSecret'],
      'there is no secret to push the image with',
      'Name a secret of openshift-machine-config-operator.',
    );
  pushSpec(spec, say);
  containerFiles(spec, say);
  const seeded = textOf(
    mappingOf(metadata['annotations'])['machineconfiguration.openshift.io/pre-built-image'],
  );
  if (seeded !== undefined && !isByDigest(seeded))
    say(
      ['metadata', 'annotations', 'machineconfiguration.openshift.io/pre-built-image'],
      'the image that is there already is not named by digest',
      'Write HOST/REPOSITORY@sha256:... .',
    );
}

function pushSpec(spec: Mapping, say: Say): void {
  const target = textOf(spec['renderedImagePushSpec']) ?? '';
  const path = ['spec', 'renderedImagePushSpec'];
  if (target.length > 447)
    say(path, `it has ${target.length} characters, and may have 447`, 'Choose a shorter name.');
  else if (!/^[^@\s]+\/[^@\s]+:[A-Za-z0-9_][\w.-]{0,127}$/.test(target) || target.includes('://'))
    say(path, 'it is no image with a tag', 'Write HOST/NAMESPACE/NAME:TAG, without a digest.');
}

function containerFiles(spec: Mapping, say: Say): void {
  const files: readonly Value[] = listOf(spec['containerFile']);
  const path = ['spec', 'containerFile'];
  if (files.length > MAX_CONTAINERFILES)
    say(
      path,
      `there are ${files.length} Containerfiles, and may be ${MAX_CONTAINERFILES}`,
      'Write one for each architecture.',
    );
  const arches = new Set<string>();
  files.forEach((file, at) => {
    const arch = textOf(mappingOf(file)['containerfileArch']) ?? 'NoArch';
    if (arches.has(arch))
      say(
        [...path, at],
        `a Containerfile for ${arch.slice(0, 40)} stands there already`,
        'Write one for each architecture.',
      );
    arches.add(arch);
    const content = textOf(mappingOf(file)['content']) ?? '';
    if (content.length > MAX_CONTAINERFILE)
      say(
        [...path, at, 'content'],
        `it has ${content.length} characters, and may have ${MAX_CONTAINERFILE}`,
        'Copy what it makes from an image: COPY --from=IMAGE@sha256:... .',
      );
    if (!/^\s*FROM\s+configs\s+AS\s+final\s*$/im.test(content))
      say(
        [...path, at, 'content'],
        'there is no stage "FROM configs AS final": the build fails, or leaves the MachineConfigs out',
        'Write FROM configs AS final before what changes the image.',
      );
  });
}

/** Says whether a text is an image in a registry, by digest and without a tag. */
export function isByDigest(name: string): boolean {
  try {
    const { transport, tag, digest } = parseReference(name);
    return transport === 'docker' && tag === undefined && digest !== undefined;
  } catch (error) {
    if (error instanceof OciError) return false;
    throw error;
  }
}
