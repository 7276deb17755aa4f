import { reporterOf, type Draft, type Report } from '../finding.ts';
import { MACHINE_CONFIG_API } from '../machine-config.ts';
import type { Manifest } from '../manifest.ts';
import type { ManifestSet } from '../rule.ts';
import { mappingOf, type Value } from '../values.ts';

/** Versions of the kinds that rules know. */
const VERSIONS: ReadonlyMap<string, string> = new Map([
  ['MachineConfig', MACHINE_CONFIG_API],
  ['MachineConfigPool', MACHINE_CONFIG_API],
  ['MachineOSConfig', MACHINE_CONFIG_API],
  ['PinnedImageSet', MACHINE_CONFIG_API],
  ['MachineConfiguration', 'operator.openshift.io/v1'],
  ['Module', 'kmm.sigs.x-k8s.io/v1beta1'],
  ['BootModuleConfig', 'kmm.sigs.x-k8s.io/v1beta1'],
  ['ManagedClusterModule', 'hub.kmm.sigs.x-k8s.io/v1beta1'],
]);

/** Keys of `spec` that the API server keeps; the others it drops. @see openshift/api, KMM: the CRDs */
const SPEC_KEYS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    'MachineConfig',
    new Set([
      'baseOSExtensionsContainerImage',
      'config',
      'extensions',
      'fips',
      'kernelArguments',
      'kernelType',
      'osImageURL',
    ]),
  ],
  [
    'MachineConfigPool',
    new Set([
      'configuration',
      'machineConfigSelector',
      'maxUnavailable',
      'nodeSelector',
      'osImageStream',
      'paused',
      'pinnedImageSets',
    ]),
  ],
  [
    'MachineOSConfig',
    new Set([
      'baseImagePullSecret',
      'containerFile',
      'imageBuilder',
      'machineConfigPool',
      'renderedImagePushSecret',
      'renderedImagePushSpec',
    ]),
  ],
  ['PinnedImageSet', new Set(['pinnedImages'])],
  [
    'BootModuleConfig',
    new Set([
      'firmwareFilesPath',
      'inTreeModulesToRemove',
      'kernelModuleImage',
      'kernelModuleName',
      'machineConfigName',
      'machineConfigPoolName',
      'workerImage',
    ]),
  ],
]);

const NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** What `kubectl apply` can keep of an object in its annotation, in bytes. */
const APPLY_LIMIT = 262_144;

/** Rules on any object: its version, name, keys and size. */
export function objectRules({ manifests }: ManifestSet, drafts: Draft[]): void {
  for (const manifest of manifests) {
    const report = reporterOf(manifest, drafts);
    for (const { path, at } of manifest.duplicates) duplicateKey(manifest, { path, at }, drafts);
    const version = VERSIONS.get(manifest.kind);
    if (version === undefined) continue;
    if (version !== manifest.apiVersion && isSameGroup(manifest.apiVersion, version)) {
      report({
        rule: 'api-version',
        severity: 'error',
        path: ['apiVersion'],
        message: `${manifest.kind} is read as ${version}, and this is ${manifest.apiVersion === '' ? 'none' : manifest.apiVersion}: the API server refuses it, or converts it and loses what the versions do not share`,
        hint: `Write apiVersion: ${version}.`,
      });
      continue;
    }
    if (version !== manifest.apiVersion) continue;
    objectName(manifest, report);
    unknownKeys(manifest, report);
    if (!manifest.isLive) applyLimit(manifest, report);
  }
}

function isSameGroup(found: string, wanted: string): boolean {
  return found === '' || found.split('/')[0] === wanted.split('/')[0];
}

function duplicateKey(
  manifest: Manifest,
  { path, at }: Manifest['duplicates'][number],
  drafts: Draft[],
): void {
  const { line } = manifest.file.source.placeOf(at);
  drafts.push({
    manifest: { ...manifest, base: [] },
    rule: 'duplicate-key',
    severity: 'error',
    path,
    message: `${JSON.stringify(String(path.at(-1)).slice(0, 60))} stands twice in one mapping (the second time in line ${line}): some tools refuse that, others take the last and lose the first`,
    hint: 'Keep one of them.',
  });
}

function objectName({ name, value }: Manifest, report: Report): void {
  if (name.length <= 253 && NAME.test(name)) return;
  if (name === '' && mappingOf(value['metadata'])['generateName'] !== undefined) return;
  report({
    rule: 'object-name',
    severity: 'error',
    path: ['metadata', 'name'],
    message:
      name === ''
        ? 'it has no name: the API server refuses it'
        : 'the name is none of Kubernetes: the API server refuses it',
    hint: 'Use lower-case letters, digits, "-" and ".", with a letter or digit at both ends, and at most 253 of them.',
  });
}

function unknownKeys({ kind, value }: Manifest, report: Report): void {
  const known = SPEC_KEYS.get(kind);
  if (known === undefined) return;
  for (const key of Object.keys(mappingOf(value['spec']))) {
    if (known.has(key)) continue;
    report({
      rule: 'unknown-field',
      severity: 'warning',
      path: ['spec', key],
      message: `${kind} has no field spec.${key.slice(0, 60)}: the API server drops it without an error, and what it was to do is not done`,
      hint: `Fields of spec are ${[...known].join(', ')}.`,
    });
  }
}

function applyLimit({ value, kind }: Manifest, report: Report): void {
  const size = jsonSize(value);
  if (size <= APPLY_LIMIT) return;
  report({
    rule: 'apply-limit',
    severity: 'warning',
    path: [],
    message: `the ${kind} has ${size} bytes as JSON: kubectl apply cannot keep it in its annotation of at most ${APPLY_LIMIT}, and fails`,
    hint: 'Use oc apply --server-side, or oc create and oc replace; or ship less in it.',
  });
}

/** Sizes that were taken: each file is counted in each pool that merges it. */
const sizes = new WeakMap<object, number>();

/** Bytes of the JSON of a value, without making the text of it. */
export function jsonSize(value: Value): number {
  if (typeof value !== 'object' || value === null) return sizeOf(value);
  const known = sizes.get(value);
  if (known !== undefined) return known;
  const size = sizeOf(value);
  sizes.set(value, size);
  return size;
}

function sizeOf(value: Value): number {
  if (typeof value === 'string') return textSize(value);
  if (Array.isArray(value)) {
    let size = 2 + Math.max(0, value.length - 1);
    for (const item of value as readonly Value[]) size += jsonSize(item);
    return size;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    let size = 2 + Math.max(0, entries.length - 1);
    for (const [key, item] of entries) size += textSize(key) + 1 + jsonSize(item);
    return size;
  }
  return String(value).length;
}

/** Go writes `<`, `>` and `&` as escapes of six characters. */
function textSize(text: string): number {
  let size = Buffer.byteLength(text) + 2;
  if (!/["\\\0-\x1f<>&]/.test(text)) return size;
  for (const [escaped] of text.matchAll(/["\\\n\r\t]|[\0-\x1f<>&]/g))
    size += /["\\\n\r\t]/.test(escaped) ? 1 : 5;
  return size;
}
