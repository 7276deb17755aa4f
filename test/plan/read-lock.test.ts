import { describe, expect, it } from 'vitest';
import { parseLock } from '../../src/plan/read-lock.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const LOCK = `apiVersion: kmodlayer/v1
kind: Lock
spec: ${'ab'.repeat(32)}
repositories:
  ocp-release: quay.io/openshift-release-dev/ocp-release
  art: quay.io/openshift-release-dev/ocp-v4.0-art-dev
  release: oci:./release
drivers:
  - { name: ice, type: git, url: https://git.example.com/ice.git, ref: main, commit: ${'a1'.repeat(20)} }
targets:
  - release: 4.18.4
    arch: x86_64
    stream: rhel-9
    payload: ocp-release@${DIGEST}
    osImage: rhel-coreos art@${DIGEST} release
    rhel: "9.4"
    kernel: 5.14.0-427.50.1.el9_4.x86_64
    kernelSource: ostree.linux
    driverToolkit: driver-toolkit art@${DIGEST}
    rtKernel: 5.14.0-427.50.1.el9_4.x86_64+rt
`;
const PLACE = { file: 'kmodlayer.lock.yaml', directory: '/specs' };

describe('parseLock()', () => {
  it('reads what a target is made of, with the kernels that it offers', () => {
    const { targets } = parseLock(LOCK, PLACE);

    expect(targets).toMatchObject([
      {
        release: { version: '4.18.4', digest: DIGEST },
        osImage: {
          name: 'rhel-coreos',
          location: { transport: 'oci', path: '/specs/release', digest: DIGEST },
        },
        extensions: undefined,
        driverToolkit: { rhelVersion: '9.4' },
        kernels: [{ flavour: 'default' }, { flavour: 'rt', isInOsImage: false }],
      },
    ]);
  });

  it.each([
    ['kind: Lock', 'kind: DriverSet', 'it is no lock file'],
    ['kmodlayer/v1', 'kmodlayer/v9', 'another version of kmodlayer has written it'],
    ['targets:', '<<<<<<< HEAD\ntargets:', 'a merge has left its marks in it'],
    ['stream: rhel-9', 'stream: {', 'it is not YAML'],
    ['arch: x86_64', 'arch: sparc', '4.18.4 has no known architecture'],
    [`ocp-release@${DIGEST}`, 'ocp-release:4.18.4', 'is no image by digest'],
    ['payload: ocp-release@', 'payload: other@', 'it does not say which repository "other" is'],
    ['kernelSource: ostree.linux', 'kernelSource: toString', 'is no source of a kernel release'],
    [`commit: ${'a1'.repeat(20)}`, 'commit: main', 'is no value of "commit"'],
    ['type: git', 'type: cvs', 'driver ice has no known type of source'],
    ['quay.io/openshift-release-dev/ocp-release', 'no host', 'it names no registry host'],
    ['kernel: 5.14.0-427.50.1.el9_4.x86_64', 'kernel: "../../etc"', 'Cannot use'],
    ['targets:', 'targets: &a [*a]\nmore:', 'it is not YAML'],
  ])('refuses a file in which %s is %s', (from, to, message) => {
    const text = LOCK.replace(from, to);

    expect(() => parseLock(text, PLACE)).toThrow(
      expect.objectContaining({
        code: 'LOCK_INVALID',
        message: expect.stringContaining(message) as string,
        hint: 'Write it anew with "kmodlayer lock".',
      }),
    );
  });
});
