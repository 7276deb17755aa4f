import { parseMinor } from '../../../../src/verify/manifest/release.ts';
import { ignition } from '../../../support/lint.ts';
import type { Case } from './case.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const object = (kind: string, api: string, spec: string, metadata = ''): string =>
  `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: a${metadata} }\nspec:\n${spec
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')}\n`;
const MCO = 'machineconfiguration.openshift.io/v1';
const policy = (text: string): string =>
  object('MachineConfiguration', 'operator.openshift.io/v1', `nodeDisruptionPolicy:\n  ${text}`).replace(
    'name: a ',
    'name: cluster ',
  );
const NONE = 'actions: [{ type: None }]';
const LABEL = `, labels: { machineconfiguration.openshift.io/role: worker }`;
const pinned = (name: string): string =>
  object('PinnedImageSet', MCO, `pinnedImages: [{ name: "${name}" }]`, LABEL);
const GOOD_OS = [
  'machineConfigPool: { name: a }',
  'imageBuilder: { imageBuilderType: Job }',
  'renderedImagePushSecret: { name: push }',
  'renderedImagePushSpec: quay.io/a/b:v1',
  'containerFile: [{ content: "FROM configs AS final\\nRUN true" }]',
].join('\n');
const osConfig = (from: string, to: string): Case => ({
  rule: 'machine-os-config',
  found: '',
  bad: object('MachineOSConfig', MCO, GOOD_OS.replace(from, to)),
  good: object('MachineOSConfig', MCO, GOOD_OS),
});
const KMM = 'kmm.sigs.x-k8s.io/v1beta1';
const container = (text: string): string =>
  object(
    'Module',
    KMM,
    `moduleLoader:\n  container:\n${text
      .split('\n')
      .map((line) => `    ${line}`)
      .join('\n')}`,
  );
const PATH = 'spec.moduleLoader.container';
const modprobe = (text: string): string => container(`containerImage: quay.io/a/b:v1\nmodprobe: { ${text} }`);
const mapping = (text: string): string =>
  container(`modprobe: { moduleName: a }\nkernelMappings: [{ ${text} }]`);
const module = (spec: string): string => object('Module', KMM, spec);
const boot = (from = '', to = ''): string =>
  object(
    'BootModuleConfig',
    KMM,
    'machineConfigName: 99-x\nmachineConfigPoolName: worker\nkernelModuleImage: quay.io/a/b\nkernelModuleName: ice'.replace(
      from,
      to,
    ),
  );

export const OPERATOR_CASES: readonly Case[] = [
  {
    rule: 'disruption-policy',
    found: 'error 6 spec.nodeDisruptionPolicy.files[0].actions[0].type',
    bad: policy('files: [{ path: /etc/a, actions: [{ type: None }, { type: Drain }] }]'),
    good: policy(`files: [{ path: /etc/a, ${NONE} }]`),
  },
  {
    rule: 'disruption-policy',
    found: 'error 6 spec.nodeDisruptionPolicy.files',
    bad: policy(
      `files: [${Array.from({ length: 51 }, (_, at) => `{ path: /etc/a${at}, ${NONE} }`).join(', ')}]`,
    ),
    good: policy(
      `files: [${Array.from({ length: 50 }, (_, at) => `{ path: /etc/a${at}, ${NONE} }`).join(', ')}]`,
    ),
  },
  {
    rule: 'disruption-policy',
    found: 'error 6 spec.nodeDisruptionPolicy.units[0].actions[0]',
    bad: policy('units: [{ name: a.service, actions: [{ type: Restart }] }]'),
    good: policy(
      'units: [{ name: a.service, actions: [{ type: Restart, restart: { serviceName: a.service } }] }]',
    ),
  },
  {
    rule: 'disruption-policy',
    found: 'error 6 spec.nodeDisruptionPolicy.units[0].name',
    bad: policy(`units: [{ name: a, ${NONE} }]`),
    good: policy(`units: [{ name: a.timer, ${NONE} }]`),
  },
  {
    rule: 'disruption-policy',
    found: 'error 3 metadata.name',
    bad: policy(`units: [{ name: a.timer, ${NONE} }]`).replace('cluster', 'mine'),
    good: policy(`sshkey: { ${NONE} }`),
  },
  {
    rule: 'pinned-image-tag',
    found: 'error 5 spec.pinnedImages[0].name',
    bad: pinned('quay.io/a/b:v1'),
    good: pinned(`quay.io/a/b@${DIGEST}`),
  },
  { ...osConfig('name: a }', 'name: b }'), found: 'error 5 spec.machineConfigPool.name' },
  { ...osConfig('Job', 'PodImageBuilder'), found: 'error 6 spec.imageBuilder.imageBuilderType' },
  { ...osConfig('name: push', 'name: ""'), found: 'error 7 spec.renderedImagePushSecret' },
  { ...osConfig('b:v1', 'b'), found: 'error 8 spec.renderedImagePushSpec' },
  { ...osConfig('b:v1', `b@${DIGEST}`), found: 'error 8 spec.renderedImagePushSpec' },
  { ...osConfig('FROM configs AS final', 'FROM scratch'), found: 'error 9 spec.containerFile[0].content' },
  { ...osConfig('RUN true', 'a'.repeat(4096)), found: 'error 9 spec.containerFile[0].content' },
  {
    rule: 'module-name',
    found: 'error 3 metadata.name',
    bad: object('Module', KMM, 'selector: {}', `, namespace: ${'n'.repeat(41)}`),
    good: object('Module', KMM, 'selector: {}', `, namespace: ${'n'.repeat(40)}`),
  },
  {
    rule: 'module-image',
    found: `error 8 ${PATH}.kernelMappings[0].containerImage`,
    bad: mapping("regexp: '^.+$', containerImage: 'registry:5000/foo'"),
    good: mapping("regexp: '^.+$', containerImage: 'registry:5000/foo:$KERNEL_FULL_VERSION'"),
  },
  {
    rule: 'module-image',
    found: `warning 8 ${PATH}.kernelMappings[0].containerImage`,
    bad: mapping("regexp: '^.+$', containerImage: 'quay.io/foo:latest'"),
    good: mapping(`regexp: '^.+$', containerImage: 'quay.io/foo@${DIGEST}'`),
  },
  {
    rule: 'module-mapping',
    found: `error 8 ${PATH}.kernelMappings[0]`,
    bad: mapping("regexp: '^.+$', literal: 5.14.0, containerImage: 'quay.io/a/b:v1'"),
    good: mapping("literal: 5.14.0, containerImage: 'quay.io/a/b:v1'"),
  },
  {
    rule: 'module-mapping',
    found: `error 8 ${PATH}.kernelMappings[0].regexp`,
    bad: mapping("regexp: '(?=a)', containerImage: 'quay.io/a/b:v1'"),
    good: mapping("regexp: '(?P<a>b)', containerImage: 'quay.io/a/b:v1'"),
  },
  {
    rule: 'module-mapping',
    found: `error 8 ${PATH}.kernelMappings[0]`,
    bad: mapping("regexp: '^.+$'"),
    good: mapping("regexp: '^.+$', containerImage: 'quay.io/a/b:v1'"),
  },
  {
    rule: 'module-mapping',
    found: `error 6 ${PATH}`,
    bad: container(
      'inTreeModuleToRemove: a\nkernelMappings: [{ literal: a, containerImage: "a/b:c", inTreeModulesToRemove: [a] }]',
    ),
    good: container(
      'inTreeModulesToRemove: [a]\nkernelMappings: [{ literal: a, containerImage: "a/b:c", inTreeModulesToRemove: [a] }]',
    ),
  },
  {
    rule: 'module-modprobe',
    found: `error 8 ${PATH}.modprobe`,
    bad: modprobe('rawArgs: { load: [a] }'),
    good: modprobe('rawArgs: { load: [a], unload: [a] }'),
  },
  {
    rule: 'module-modprobe',
    found: `error 8 ${PATH}.modprobe.modulesLoadingOrder`,
    bad: modprobe('moduleName: a, modulesLoadingOrder: [b, a]'),
    good: modprobe('moduleName: a, modulesLoadingOrder: [a, b]'),
  },
  {
    rule: 'module-sign',
    found: `error 8 ${PATH}.sign.filesToSign[0]`,
    bad: container('containerImage: a/b:c\nsign: { filesToSign: [/lib/a.ko] }'),
    good: container('containerImage: a/b:c\nsign: { filesToSign: [/opt/lib/modules/*/a.ko] }'),
  },
  {
    rule: 'module-sign',
    found: `note 8 ${PATH}.sign.filesToSign[0]`,
    bad: container('containerImage: a/b:c\nsign: { filesToSign: ["/opt/lib/${KERNEL_FULL_VERSION}/a.ko"] }'),
    good: container('containerImage: a/b:c\nsign: { filesToSign: [/opt/lib/modules/*/a.ko] }'),
  },
  {
    rule: 'module-toleration',
    found: 'error 5 spec.tolerations[0]',
    bad: module('tolerations: [{ operator: Equal, value: a }]'),
    good: module('tolerations: [{ operator: Exists, effect: NoExecute, tolerationSeconds: 3 }]'),
  },
  {
    rule: 'module-host-path',
    found: 'error 5 spec.devicePlugin.volumes[0].hostPath.path',
    bad: module('devicePlugin: { volumes: [{ hostPath: { path: /dev/../etc } }] }'),
    good: module('devicePlugin: { volumes: [{ hostPath: { path: /var/lib/a } }] }'),
  },
  {
    rule: 'module-dra',
    found: 'error 5 spec.dra',
    bad: module('dra: { driverName: a.b }'),
    good: module('devicePlugin: {}'),
    options: { release: parseMinor('4.20') },
  },
  {
    rule: 'module-dra',
    found: 'error 5 spec.dra.deviceClasses[1]',
    bad: module('dra: { driverName: a.b, deviceClasses: [{ name: a }, { name: a }] }'),
    good: module('dra: { driverName: a.b, deviceClasses: [{ name: a }, { name: b }] }'),
    options: { release: parseMinor('4.21') },
  },
  {
    rule: 'preflight-kernel',
    found: 'error 5 spec.kernelVersion',
    bad: object('PreflightValidationOCP', 'kmm.sigs.x-k8s.io/v1beta2', 'kernelVersion: "5.14"'),
    good: object(
      'PreflightValidationOCP',
      'kmm.sigs.x-k8s.io/v1beta2',
      'kernelVersion: 5.14.0-427.el9.x86_64',
    ),
  },
  {
    rule: 'boot-module-field',
    found: 'error 7 spec.kernelModuleImage',
    bad: boot('quay.io/a/b', 'quay.io/a/b:v1'),
    good: boot(),
  },
  {
    rule: 'boot-module-field',
    found: 'error 8 spec.kernelModuleName',
    bad: boot('ice', '"ice; reboot"'),
    good: boot('ice', 'ice_swx'),
  },
  { rule: 'boot-module-field', found: 'error 4 spec', bad: boot('kernelModuleName: ice', ''), good: boot() },
  {
    rule: 'boot-module-target',
    found: 'error b.yaml:5 spec.machineConfigName',
    bad: [boot(), boot()],
    good: [boot(), boot('99-x', '99-y')],
  },
  {
    rule: 'boot-module-target',
    found: 'error 5 spec.machineConfigName',
    bad: [
      boot('99-x', '99-worker-x'),
      ignition('storage: { files: [{ path: /etc/a, contents: { source: "data:,a" } }] }'),
    ],
    good: [boot(), ignition('storage: { files: [{ path: /etc/a, contents: { source: "data:,a" } }] }')],
  },
];
