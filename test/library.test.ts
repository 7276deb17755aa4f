import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { importsBelow, loadedBy } from './support/imports.ts';
import { readModuleFixture } from './kmod/fixtures.ts';
import { kernelFiles } from './verify/kernel.ts';

type Entry = Readonly<Record<string, (...values: unknown[]) => unknown>>;

/** Loads an entry by the name of this package, as its users do. */
const load = (name: string): Promise<Entry> =>
  import(/* @vite-ignore */ `kmodlayer/${name}`) as Promise<Entry>;

const imports = importsBelow('src', 'cli');

describe.each(['modinfo', 'sign', 'depmod', 'verify'])('kmodlayer/%s', (name) => {
  it('is an entry of the package', () => {
    const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      exports: Record<string, unknown>;
    };

    expect(exports[`./${name}`]).toEqual({
      types: `./dist/src/${name}.d.ts`,
      default: `./dist/src/${name}.js`,
    });
  });

  it('loads neither the command line nor what the pipeline needs', () => {
    const foreign = [...loadedBy(`src/${name}.ts`, imports)].filter(
      (path) => !/^src\/(?:kmod|sign|verify|spec|oci)\//.test(path) && !/^src\/[a-z]+\.ts$/.test(path),
    );

    expect(['node:crypto', 'node:stream/web', 'node:util', 'node:zlib']).toEqual(
      expect.arrayContaining(foreign),
    );
  });
});

describe('The library', () => {
  it('reads, signs, indexes and proves a module without the rest', async () => {
    const modinfo = await load('modinfo');
    const sign = await load('sign');
    const depmod = await load('depmod');
    const verify = await load('verify');
    const plain = readModuleFixture('kl_provider.ko');
    const signer = sign['makeKeyFileSigner']?.({
      key: readModuleFixture('test-only-rsa.key'),
      certificate: readModuleFixture('test-only-rsa.pem'),
    });

    const bytes = await sign['signModule']?.(plain, signer, { hash: 'sha256' });
    const info = modinfo['readModuleInfo']?.(bytes);
    const indexed = depmod['indexTree']?.({
      modules: [{ path: 'extra/kl_provider.ko', module: depmod['readModule']?.(bytes) }],
      config: depmod['RHEL_DEPMOD_CONFIG'],
      kernelRelease: '6.1.0-56-amd64',
      format: depmod['RHEL_INDEX_FORMAT'],
    }) as { files: ReadonlyMap<string, Uint8Array> };
    const kernel = verify['makeKernelFacts']?.(kernelFiles());
    const certificates = [verify['parseCertificate']?.(readModuleFixture('test-only-rsa.pem'))];
    const report = verify['verifyModule']?.({ path: 'kl_provider.ko', bytes, kernel, certificates });

    expect(bytes).toEqual(readModuleFixture('kl_provider.sha256.ko'));
    expect(info).toMatchObject({ description: { name: 'kl_provider' }, signature: { hash: 'sha256' } });
    expect(Buffer.from(indexed.files.get('modules.dep') ?? []).toString()).toBe('extra/kl_provider.ko:\n');
    expect(report).toMatchObject({ verdict: 'passes', checks: expect.arrayContaining([]) as unknown });
  });

  it('asks for a module to be unpacked first', async () => {
    const { readModuleInfo } = await load('modinfo');

    expect(() => readModuleInfo?.(readModuleFixture('kl_provider.ko.xz'))).toThrow(
      expect.objectContaining({ code: 'COMPRESSION_UNSUPPORTED' }),
    );
  });
});
