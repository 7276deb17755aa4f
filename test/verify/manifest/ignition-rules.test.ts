import { describe, expect, it } from 'vitest';
import { parseMinor } from '../../../src/verify/manifest/release.ts';
import { findingsOf, ignition, machineConfig, withFile } from '../../support/lint.ts';

const VERSION = 'ignition-version';
const AT = '6 spec.config.ignition.version';

describe('lintManifests() of Ignition configs', () => {
  it.each([
    ['3.2.0', undefined, []],
    ['3.1.0', undefined, []],
    ['3.4.0', undefined, [`${VERSION} warning ${AT}`]],
    ['3.4.0', '4.13', [`${VERSION} error ${AT}`]],
    ['3.4.0', '4.14', []],
    ['3.5.0', '4.18', [`${VERSION} error ${AT}`]],
    ['3.5.0', '4.19.3', []],
    ['3.5.0', '5.0', []],
    ['3.6.0', '5.0', [`${VERSION} error ${AT}`]],
    ['2.2.0', '4.18', [`${VERSION} warning ${AT}`]],
    ['3.2', '4.18', [`${VERSION} error ${AT}`]],
  ])('judges version %s for release %s', (version, release, expected) => {
    const options = { release: release === undefined ? undefined : parseMinor(release) };

    expect(findingsOf(ignition('passwd: {}', version), options)).toEqual(expected);
  });

  it('finds a config without a version, and one that is none', () => {
    expect(findingsOf(machineConfig('config: { storage: { files: [] } }'))).toEqual([
      `${VERSION} error 5 spec.config`,
    ]);
    expect(findingsOf(machineConfig('config: "{}"'))).toEqual(['ignition-structure error 5 spec.config']);
    expect(findingsOf(machineConfig('config: {}'))).toEqual([]);
  });

  it.each([
    ['420', []],
    ['493', []],
    ['384', []],
    ['0o644', []],
    ['644', ['mode-decimal error 10']],
    ['755', ['mode-decimal error 10']],
    ['1777', ['mode-too-large error 10']],
    ['400', ['mode-decimal warning 10']],
    ['0644', ['mode-octal warning 10']],
    ['0493', []],
    ['0511', ['mode-octal error 10']],
    ['0420', ['mode-octal error 10']],
    ['"0644"', ['mode-invalid error 10']],
    ['4.5', ['mode-invalid error 10']],
    ['-1', ['mode-invalid error 10']],
    ['5000', ['mode-invalid error 10']],
    ['2541', ['mode-too-large error 10']],
    ['511', ['mode-world-writable warning 10']],
    ['null', []],
  ])('judges mode %s', (mode, expected) => {
    expect(findingsOf(withFile(`mode: ${mode}\ncontents: { source: "data:,a" }`))).toEqual(
      expected.map((found) => `${found} spec.config.storage.files[0].mode`),
    );
  });

  it.each([
    ['storage: { disks: [{ device: /dev/sda }] }', 'spec.config.storage.disks'],
    ['storage: { raid: [{ name: a }] }', 'spec.config.storage.raid'],
    ['storage: { filesystems: [{ device: /dev/sda1 }] }', 'spec.config.storage.filesystems'],
    ['storage: { luks: [{ name: a }] }', 'spec.config.storage.luks'],
    ['storage: { directories: [{ path: /etc/a }] }', 'spec.config.storage.directories'],
    ['storage: { links: [{ path: /etc/a, target: /etc/b }] }', 'spec.config.storage.links'],
    ['kernelArguments: { shouldExist: [quiet] }', 'spec.config.kernelArguments'],
    ['passwd: { groups: [{ name: a }] }', 'spec.config.passwd.groups'],
    ['passwd: { users: [{ name: admin }] }', 'spec.config.passwd.users[0]'],
    ['passwd: { users: [{ name: core, shell: /bin/sh }] }', 'spec.config.passwd.users[0].shell'],
  ])('finds what is never taken over: %s', (config, path) => {
    expect(findingsOf(ignition(config))).toEqual([`unreconcilable error 7 ${path}`]);
    const live = ignition(config).replace('metadata: { ', 'metadata: { uid: 1-2-3, ');
    expect(findingsOf(live)).toEqual([`unreconcilable note 7 ${path}`]);
  });

  it('takes keys and password of the user core', () => {
    expect(
      findingsOf(
        ignition('passwd: { users: [{ name: core, sshAuthorizedKeys: [ssh-rsa A], passwordHash: x }] }'),
      ),
    ).toEqual([]);
  });
});
