import { parseMinor } from '../../../../src/verify/manifest/release.ts';
import { ignition, machineConfig } from '../../../support/lint.ts';
import type { Case } from './case.ts';

const image = (digit: string): string => `osImageURL: quay.io/a/b@sha256:${digit.repeat(64)}`;
const a = (spec: string, role = 'worker'): string => machineConfig(spec, { name: '50-a', role });
const b = (spec: string, role = 'worker'): string => machineConfig(spec, { name: '60-b', role });
const pool = (name: string, spec: string): string =>
  `apiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfigPool\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`;
const selecting = (...roles: readonly string[]): string =>
  `machineConfigSelector: { matchExpressions: [{ key: machineconfiguration.openshift.io/role, operator: In, values: [${roles.join(', ')}] }] }`;
const WORKER = pool('worker', selecting('worker'));

export const OBJECT_CASES: readonly Case[] = [
  {
    rule: 'duplicate-key',
    found: 'error 6 spec.fips',
    bad: machineConfig('fips: false\nfips: false'),
    good: machineConfig('fips: false'),
  },
  {
    rule: 'api-version',
    found: 'error 1 apiVersion',
    bad: machineConfig('fips: false').replace('io/v1', 'io/v1alpha1'),
    good: machineConfig('fips: false'),
  },
  {
    rule: 'object-name',
    found: 'error 3 metadata.name',
    bad: machineConfig('fips: false').replace('99-worker-x', '99_Worker'),
    good: machineConfig('fips: false').replace('99-worker-x', '99-worker.x'),
  },
  {
    rule: 'unknown-field',
    found: 'warning 5 spec.selector',
    bad: a('selector: {}'),
    good: a('extensions: []'),
  },
  {
    rule: 'role-label-missing',
    found: 'error 3 metadata.labels',
    bad: a('fips: false').replace('openshift.io/role', 'openshift.io/rol'),
    good: a('fips: false'),
  },
  {
    rule: 'role-unselected',
    found: 'error 3 metadata.labels["machineconfiguration.openshift.io/role"]',
    bad: [a('fips: false', 'rt'), WORKER],
    good: [a('fips: false', 'rt'), WORKER, pool('rt', selecting('worker', 'rt'))],
  },
  {
    rule: 'role-unselected',
    found: 'note 3 metadata.labels["machineconfiguration.openshift.io/role"]',
    bad: a('fips: false', 'rt'),
    good: a('fips: false', 'master'),
  },
  {
    rule: 'osimageurl-tag',
    found: 'warning 5 spec.osImageURL',
    bad: a('osImageURL: quay.io/a/b:v1'),
    good: a(image('0')),
  },
  {
    rule: 'osimageurl-invalid',
    found: 'error 5 spec.osImageURL',
    bad: a('osImageURL: b'),
    good: a(image('0')),
  },
  {
    rule: 'osimageurl-overridden',
    found: 'error 5 spec.osImageURL',
    bad: [a(image('0')), b(image('1'))],
    good: [a(image('0')), b(image('0'))],
  },
  {
    rule: 'osimageurl-overridden',
    found: 'error b.yaml:5 spec.osImageURL',
    bad: [a(image('0'), 'rt'), b(image('1'))],
    good: [a(image('0'), 'master'), b(image('1'))],
  },
  {
    rule: 'osimageurl-overridden',
    found: 'error 5 spec.osImageURL',
    bad: [a(image('0'), 'rt'), b(image('1'))],
    good: [a(image('0'), 'master'), b(image('1'))],
    options: { release: parseMinor('4.14') },
  },
  {
    rule: 'merge-order',
    found: 'warning 5 spec.osImageURL',
    bad: [a(image('0'), 'rt'), b(image('1'))],
    good: [a(image('0')), b(image('1'), 'rt')],
  },
  {
    rule: 'osimageurl-stream',
    found: 'error 5 spec.osImageURL',
    bad: [a(image('0')), pool('worker', `${selecting('worker')}, osImageStream: { name: rhel-10 }`)],
    good: [a(image('0')), WORKER],
  },
  {
    rule: 'osimageurl-kernel-type',
    found: 'error 5 spec.osImageURL',
    bad: [a(image('0')), b('kernelType: realtime')],
    good: [a(image('0')), b('kernelType: realtime', 'master')],
  },
  {
    rule: 'osimageurl-extensions',
    found: 'warning 5 spec.osImageURL',
    bad: [a(image('0')), b('extensions: [usbguard]')],
    good: [
      a(image('0')),
      b(`extensions: [usbguard]\nbaseOSExtensionsContainerImage: quay.io/a/e@sha256:${'2'.repeat(64)}`),
    ],
  },
  {
    rule: 'extensions-image',
    found: 'error 5 spec.baseOSExtensionsContainerImage',
    bad: a('baseOSExtensionsContainerImage: quay.io/a/e:v1'),
    good: a(`baseOSExtensionsContainerImage: quay.io/a/e@sha256:${'2'.repeat(64)}`),
  },
  {
    rule: 'extension-unknown',
    found: 'error 5 spec.extensions[0]',
    bad: a('extensions: [vim]'),
    good: a('extensions: [ipsec]'),
  },
  {
    rule: 'kernel-devel',
    found: 'error 5 spec.extensions[0]',
    bad: [a('extensions: [kernel-devel]'), b('kernelType: realtime')],
    good: [a('extensions: [kernel-devel]'), b('kernelType: default')],
  },
  {
    rule: 'kernel-type-invalid',
    found: 'error 5 spec.kernelType',
    bad: a('kernelType: rt'),
    good: a('kernelType: default'),
  },
  {
    rule: 'kernel-type-differs',
    found: 'warning 5 spec.kernelType',
    bad: [a('kernelType: 64k-pages'), b('kernelType: realtime')],
    good: [a('kernelType: realtime'), b('kernelType: realtime')],
  },
  {
    rule: 'kernel-argument-doubled',
    found: 'note b.yaml:5 spec.kernelArguments[0]',
    bad: [a('kernelArguments: [quiet]'), b('kernelArguments: ["a=1 quiet"]')],
    good: [a('kernelArguments: [quiet]'), b('kernelArguments: [quieter]')],
  },
  {
    rule: 'kernel-argument-contradicts',
    found: 'warning b.yaml:5 spec.kernelArguments[0]',
    bad: [a('kernelArguments: [intel_iommu=on]'), b('kernelArguments: [intel_iommu=off]')],
    good: [a('kernelArguments: [console=tty0]'), b('kernelArguments: [console=ttyS0]')],
  },
  { rule: 'fips-day-two', found: 'warning 5 spec.fips', bad: a('fips: true'), good: a('fips: false') },
  {
    rule: 'ignition-version',
    found: 'error 6 spec.config.ignition.version',
    bad: ignition('passwd: {}', '3.6.0'),
    good: ignition('passwd: {}'),
  },
  {
    rule: 'unreconcilable',
    found: 'error 7 spec.config.storage.links',
    bad: ignition('storage: { links: [{ path: /a, target: /b }] }'),
    good: ignition('storage: { links: [] }'),
  },
  {
    rule: 'pool-selector',
    found: 'error 4 spec.machineConfigSelector',
    bad: pool('rt', selecting('rt')),
    good: pool('rt', selecting('worker', 'rt')),
  },
  {
    rule: 'pool-selector',
    found: 'warning 4 spec.machineConfigSelector',
    bad: pool('rt', selecting('worker')),
    good: WORKER,
  },
  {
    rule: 'pool-of-masters',
    found: 'error 4 spec.machineConfigSelector',
    bad: pool('storage', selecting('master', 'storage')),
    good: pool('master', selecting('master')),
  },
];
