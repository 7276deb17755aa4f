import { beforeAll, describe, expect, it } from 'vitest';
import type { OpenedImage } from '../../../src/oci/open-image.ts';
import {
  file,
  fixtureModule,
  KERNEL,
  layered,
  layerWith,
  MODULES,
  openQuickstart,
  type RawEntry,
} from '../../support/layered-image.ts';
import { brief, lint, lintLayers } from './support.ts';

const PROVIDER = fixtureModule('kl_provider.ko');
const CONSUMER = fixtureModule('kl_consumer.ko');

let base: OpenedImage;
/** A layer that is as it should be. */
let good: readonly RawEntry[];

beforeAll(async () => {
  base = await openQuickstart();
  good = await layerWith(base, {
    'extra/hello/kl_provider.ko': PROVIDER,
    'extra/hello/kl_consumer.ko': CONSUMER,
  });
});

describe('lintImage()', () => {
  it('finds nothing in an OS image, and nothing in a layer that is as it should be', async () => {
    expect(await lint(base)).toEqual([]);
    expect(await lintLayers(base, good)).toEqual([]);
  });

  describe('where files stand', () => {
    it.each([
      ['lib/modules/x/extra/a.ko', ['error dropped-path lib/modules/x/extra/a.ko']],
      ['opt/vendor/tool', ['error dropped-path opt/vendor/tool']],
      ['root/.bashrc', ['error dropped-path root/.bashrc']],
      ['boot/vmlinuz', ['warning dropped-path boot/vmlinuz']],
      ['run/secrets/token', ['note dropped-path run/secrets/token']],
      ['tmp/build.log', ['note dropped-path tmp/build.log']],
      ['var/lib/vendor/state', ['warning var-content var/lib/vendor/state']],
      ['var/cache/dnf/repo.solv', ['note var-content var/cache/dnf/repo.solv']],
      ['usr/etc/vendor.conf', ['error usr-etc usr/etc/vendor.conf']],
      ['etc/vendor.conf', []],
      ['etc/modprobe.d/vendor.conf', ['note etc-merged etc/modprobe.d/vendor.conf']],
      [
        'sysroot/ostree/repo/objects/aa/bb.file',
        ['error touches-ostree sysroot/ostree/repo/objects/aa/bb.file'],
      ],
      ['ostree/deploy', ['error touches-ostree ostree/deploy']],
      ['usr/lib/\u{fffd}', ['error bad-name usr/lib/\u{fffd}']],
    ])('%s', async (path, expected) => {
      expect(brief(await lintLayers(base, [...good, file(path, '')]))).toEqual(expected);
    });

    it('says what is lost, and where it should stand', async () => {
      const [finding] = await lintLayers(base, [
        file('lib/modules/6.1.0-56-amd64/modules.dep', ''),
        file('lib/modules/6.1.0-56-amd64/extra/a.ko', PROVIDER),
        file('lib/modules/6.1.0-56-amd64/extra/b.ko', PROVIDER),
      ]);

      expect(finding).toMatchObject({
        message:
          '3 files below /lib (lib/modules/6.1.0-56-amd64/extra/a.ko and lib/modules/6.1.0-56-amd64/extra/b.ko) will not be on the node: /lib is a link to /usr/lib there, and what a layer has below it is dropped without a word',
        hint: 'Write to usr/lib instead of lib.',
      });
    });

    it('takes a directory that is dropped for nothing lost', async () => {
      expect(await lintLayers(base, [{ name: 'opt/vendor/', type: 'directory' }])).toEqual([]);
    });

    it('reports a name that leaves the root, and reads on', async () => {
      const findings = await lintLayers(base, [file('usr/../../etc/shadow', ''), ...good, file('opt/x', '')]);

      expect(brief(findings)).toEqual(['error bad-name usr/../../etc/shadow', 'error dropped-path opt/x']);
    });
  });

  describe('what entries are', () => {
    const tool = (header: Partial<RawEntry>): RawEntry => ({ name: 'usr/bin/tool', content: '', ...header });

    it.each<[string, readonly RawEntry[], readonly string[]]>([
      [
        'a hard link to a layer below',
        [{ name: 'usr/bin/tool', type: 'link', linkname: 'usr/bin/kmod' }],
        ['error hardlink usr/bin/tool'],
      ],
      [
        'a hard link in its layer',
        [file('usr/bin/one'), { name: 'usr/bin/two', type: 'link', linkname: 'usr/bin/one' }],
        ['note hardlink usr/bin/two'],
      ],
      [
        'a hard link to an unchanged object',
        [
          {
            name: 'usr/bin/tool',
            type: 'link',
            linkname: 'sysroot/ostree/repo/objects/aa/bb.file',
            mtime: new Date(0),
          },
        ],
        ['error hardlink usr/bin/tool'],
      ],
      [
        'a hard link to an object',
        [{ name: 'usr/bin/tool', type: 'link', linkname: 'sysroot/ostree/repo/objects/aa/bb.file' }],
        ['warning hardlink usr/bin/tool'],
      ],
      ['a device', [{ name: 'usr/lib/null', type: 'character-device' }], ['error special-file usr/lib/null']],
      ['a disk', [{ name: 'usr/lib/disk', type: 'block-device' }], ['error special-file usr/lib/disk']],
      ['a pipe', [{ name: 'usr/lib/pipe', type: 'fifo' }], ['error special-file usr/lib/pipe']],
      [
        'a device that is dropped',
        [{ name: 'dev/null', type: 'character-device' }],
        ['note dropped-path dev/null'],
      ],
      ['a set-user-id program', [tool({ mode: 0o4755 })], ['warning setuid usr/bin/tool']],
      ['a file that all may write', [tool({ mode: 0o666 })], ['warning mode usr/bin/tool']],
      [
        'a directory that all may write',
        [{ name: 'usr/lib/d/', type: 'directory', mode: 0o777 }],
        ['warning mode usr/lib/d'],
      ],
      ['a sticky directory', [{ name: 'usr/lib/d/', type: 'directory', mode: 0o1777 }], []],
      [
        'configuration that nobody can read',
        [{ name: 'usr/lib/modprobe.d/a.conf', content: '', mode: 0o200 }],
        ['warning mode usr/lib/modprobe.d/a.conf'],
      ],
      [
        'firmware of another owner',
        [{ name: 'usr/lib/firmware/a.bin', content: '', uid: 1000 }],
        ['warning owner usr/lib/firmware/a.bin'],
      ],
      [
        'a program with capabilities',
        [tool({ pax: { 'SCHILY.xattr.security.capability': 'x' } })],
        ['warning xattr usr/bin/tool'],
      ],
      [
        'a label for SELinux',
        [tool({ pax: { 'SCHILY.xattr.security.selinux': 'x' } })],
        ['warning xattr usr/bin/tool'],
      ],
    ])('%s', async (_, entries, expected) => {
      expect(brief(await lintLayers(base, entries))).toEqual(expected);
    });
  });

  describe('what an entry takes the place of', () => {
    it.each<[string, RawEntry, readonly string[]]>([
      [
        'a file where the base has a directory',
        file('usr/lib/modules'),
        ['error replaces-base usr/lib/modules'],
      ],
      [
        'a link where the base has all of the system',
        { name: 'usr', type: 'symlink', linkname: '/tmp' },
        ['error replaces-base usr'],
      ],
      [
        'a file where the index of the base has a directory',
        file(`${MODULES}/kernel/net`),
        [`error replaces-base ${MODULES}/kernel/net`],
      ],
      [
        'a directory where the base has a file',
        file(`${MODULES}/modules.dep/a`),
        [`error replaces-base ${MODULES}/modules.dep/a`],
      ],
      ['a file where the base has a file', file('usr/lib/os-release'), []],
    ])('%s', async (_, entry, expected) => {
      const findings = brief(await lintLayers(base, [entry]));

      expect(findings.filter((text) => text.includes('replaces-base'))).toEqual(expected);
    });
  });

  describe('the kernel', () => {
    it('says that a second kernel keeps nodes from booting', async () => {
      const findings = await lintLayers(base, [file('usr/lib/modules/6.1.0-99-amd64/vmlinuz')]);

      expect(findings).toMatchObject([
        {
          rule: 'two-kernels',
          severity: 'error',
          message: expect.stringContaining('6.1.0-56-amd64 and 6.1.0-99-amd64') as unknown,
        },
      ]);
    });

    it('says that modules for another kernel are never looked at', async () => {
      const findings = await lintLayers(base, [file('usr/lib/modules/6.1.0-99-amd64/extra/a.ko', PROVIDER)]);

      expect(brief(findings)).toEqual(['error absent-kernel usr/lib/modules/6.1.0-99-amd64/extra/a.ko']);
    });

    it('takes a kernel that replaces that of the base for the one that boots', async () => {
      const findings = await lintLayers(base, [
        file(`usr/lib/modules/.wh.${KERNEL}`, ''),
        file('usr/lib/modules/6.1.0-99-amd64/vmlinuz'),
        file('usr/lib/modules/6.1.0-99-amd64/extra/a.ko', PROVIDER),
      ]);

      expect(brief(findings)).toEqual([
        'error index-unreadable usr/lib/modules/6.1.0-99-amd64/modules.dep.bin',
        'warning linux-label-disagrees',
        'note kernel-replaced usr/lib/modules/6.1.0-99-amd64',
      ]);
    });

    it.each([
      [`usr/lib/modules/${KERNEL}/.wh.modules.dep.bin`, 'modprobe does not find modules without it'],
      [`usr/lib/modules/${KERNEL}/.wh.vmlinuz`, 'the node does not boot without it'],
      [`usr/lib/modules/.wh.${KERNEL}`, 'the image has no kernel to boot'],
      ['usr/lib/modules/.wh..wh..opq', 'the image has no kernel to boot'],
    ])('misses what %s removes', async (path, why) => {
      const findings = await lintLayers(base, [file(path, '')]);

      const removed = findings.filter(({ rule }) => rule === 'removes-needed');
      expect(removed).toMatchObject([
        { severity: 'error', message: expect.stringContaining(why) as unknown },
      ]);
    });

    it('tells removed modules that others need from those that nothing does', async () => {
      const remove = async (path: string): Promise<readonly string[]> => {
        const slash = path.lastIndexOf('/');
        const name = `${MODULES}/${path.slice(0, slash)}/.wh.${path.slice(slash + 1)}`;
        return brief(await lintLayers(base, [file(name, '')])).filter((text) => text.includes('removes-'));
      };

      expect(await remove('kernel/drivers/net/dummy.ko.xz')).toEqual([
        `warning removes-module ${MODULES}/kernel/drivers/net/dummy.ko.xz`,
      ]);
    });
  });

  it('says what is wrong with a layer that cannot be read', async () => {
    const image = await layered(base, [good]);
    const added = image.manifest.layers.at(-1)!;
    const repository: OpenedImage['repository'] = {
      ...image.repository,
      async *readBlob(blob, options) {
        if (blob.digest === added.digest) yield Buffer.alloc(2000, 'x');
        else yield* image.repository.readBlob(blob, options);
      },
    };

    expect(brief(await lint({ ...image, repository }))).toEqual(['error unreadable-layer']);
  });
});
