import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRpm, regularFiles, unpackSrpm } from '../../../src/engine/archives/read-rpm.ts';
import { readRpmFacts } from '../../../src/engine/archives/rpm.ts';

const KERNEL = '5.14.0-427.50.1.el9_4.x86_64';
const RPMS = ['gz', 'xz', 'zst'].map((packing) => `kmod-hello-${packing}.x86_64.rpm`);

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kmodlayer-test-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function request(name: string): { file: string; name: string } {
  return { file: join('fixtures/rpm', name), name };
}

describe('readRpm()', () => {
  it.each(RPMS)('takes files out of %s, each name of a hard link with its bytes', async (name) => {
    const { facts, files } = await readRpm(request(name), () => true);

    expect(facts).toMatchObject({
      name: 'kmod-hello',
      version: '1.0',
      release: '3',
      arch: 'x86_64',
      isSource: false,
    });
    expect([...files.keys()].sort()).toEqual([
      'etc/depmod.d/hello.conf',
      'lib/firmware/hello/fw.bin',
      `lib/modules/${KERNEL}/extra/hello/kl_base.ko`,
      `lib/modules/${KERNEL}/extra/hello/kl_hello.ko`,
    ]);
    for (const path of ['kl_base.ko', 'kl_hello.ko'].map(
      (base) => `lib/modules/${KERNEL}/extra/hello/${base}`,
    )) {
      expect(Buffer.from(files.get(path) ?? []).toString()).toBe('int two;\n');
    }
  });

  it('keeps what is wanted', async () => {
    const { files } = await readRpm(request(RPMS[0]!), (path) => path.endsWith('.bin'));

    expect([...files.keys()]).toEqual(['lib/firmware/hello/fw.bin']);
  });

  it('refuses a source package, what is none, and what is cut off', async () => {
    await expect(readRpm(request('kmod-hello.src.rpm'), () => true)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      hint: expect.stringContaining('source.srpm') as string,
    });
    await expect(readRpm(request('hello.spec'), () => true)).rejects.toMatchObject({
      code: 'ARCHIVE_INVALID',
      message: 'Cannot unpack hello.spec: it is no rpm',
    });
    const bytes = readFileSync('fixtures/rpm/kmod-hello-gz.x86_64.rpm');
    for (const length of [100, 200, 5000]) {
      expect(() => readRpmFacts(bytes.subarray(0, length), 'a')).toThrow('its header is');
    }
    expect(() => [...regularFiles(Buffer.alloc(50), 'a')]).toThrow('its cpio archive is cut off');
  });
});

describe('unpackSrpm()', () => {
  it('lays spec, tarball and patches side by side', async () => {
    const to = join(directory, 'source');

    await unpackSrpm({ ...request('kmod-hello.src.rpm'), to });

    expect(readdirSync(to).sort()).toEqual(['hello-1.0.tar.gz', 'hello.spec', 'two.patch']);
  });

  it('refuses a binary package', async () => {
    const unpacking = unpackSrpm({ ...request(RPMS[0]!), to: join(directory, 'source') });

    await expect(unpacking).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      hint: expect.stringContaining('source.rpm') as string,
    });
  });
});
