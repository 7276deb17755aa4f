import { describe, expect, it } from 'vitest';
import { findingsOf, machineConfig, reportOf } from '../../support/lint.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const IMAGE = `quay.io/acme/rhcos@${DIGEST}`;

describe('lintManifests() of the fields of a MachineConfig', () => {
  it.each([
    ['an image by digest', `osImageURL: ${IMAGE}`],
    ['a registry with a port', `osImageURL: registry.local:5000/acme/rhcos@${DIGEST}`],
    ['no image', `osImageURL: ''`],
    ['extensions that there are', 'extensions: [usbguard, kerberos]'],
    ['a kernel type', 'kernelType: realtime'],
    ['no kernel type', "kernelType: ''"],
    ['no FIPS', 'fips: false'],
  ])('finds nothing in %s', (_, spec) => {
    expect(findingsOf(machineConfig(spec))).toEqual([]);
  });

  it.each([
    ['a tag', 'osImageURL: quay.io/acme/rhcos:v1', 'osimageurl-tag warning 5 spec.osImageURL'],
    ['neither tag nor digest', 'osImageURL: quay.io/acme/rhcos', 'osimageurl-tag warning 5 spec.osImageURL'],
    [
      'tag and digest',
      `osImageURL: quay.io/acme/rhcos:v1@${DIGEST}`,
      'osimageurl-invalid error 5 spec.osImageURL',
    ],
    ['a transport', `osImageURL: docker://${IMAGE}`, 'osimageurl-invalid error 5 spec.osImageURL'],
    ['a directory', 'osImageURL: oci:/var/image', 'osimageurl-invalid error 5 spec.osImageURL'],
    ['no registry', `osImageURL: acme/rhcos@${DIGEST}`, 'osimageurl-invalid error 5 spec.osImageURL'],
    [
      'a digest that is cut',
      'osImageURL: quay.io/a/b@sha256:0123',
      'osimageurl-invalid error 5 spec.osImageURL',
    ],
    ['blanks', `osImageURL: "${IMAGE} "`, 'osimageurl-invalid error 5 spec.osImageURL'],
    ['a number', 'osImageURL: 12', 'osimageurl-invalid error 5 spec.osImageURL'],
    [
      'extensions by tag',
      'baseOSExtensionsContainerImage: quay.io/a/b:v1',
      'extensions-image error 5 spec.baseOSExtensionsContainerImage',
    ],
    [
      'an extension that is none',
      'extensions: [usbguard, vim]',
      'extension-unknown error 5 spec.extensions[1]',
    ],
    ['a kernel type that is none', 'kernelType: rt', 'kernel-type-invalid error 5 spec.kernelType'],
    ['FIPS', 'fips: true', 'fips-day-two warning 5 spec.fips'],
    ['a field that is none', 'selector: {}', 'unknown-field warning 5 spec.selector'],
  ])('finds %s', (_, spec, expected) => {
    expect(findingsOf(machineConfig(spec))).toEqual([expected]);
  });

  it('finds a MachineConfig without a role, unless a pool selects it by other labels', () => {
    const labelled = machineConfig('fips: false').replace('machineconfiguration.openshift.io/role', 'mine');
    const pool = [
      'apiVersion: machineconfiguration.openshift.io/v1',
      'kind: MachineConfigPool',
      'metadata: { name: mine }',
      'spec: { machineConfigSelector: { matchLabels: { mine: worker } } }',
    ].join('\n');

    expect(findingsOf(labelled)).toEqual(['role-label-missing error 3 metadata.labels']);
    expect(findingsOf([labelled, pool]).filter((found) => found.startsWith('role-label'))).toEqual([]);
  });

  it('says where, what the line says, why, and what to do', () => {
    const [finding] = reportOf(machineConfig('osImageURL: quay.io/acme/rhcos:v1')).findings;

    expect(finding).toMatchObject({
      file: 'a.yaml',
      document: 1,
      object: 'MachineConfig 99-worker-x',
      source: '  osImageURL: quay.io/acme/rhcos:v1',
      message: expect.stringContaining('never look again') as unknown,
      hint: expect.stringContaining('@sha256:') as unknown,
    });
  });
});
