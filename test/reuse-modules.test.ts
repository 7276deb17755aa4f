import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BuildOptions } from '../src/build.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { descriptorJson } from '../src/oci/descriptor.ts';
import { MEDIA_TYPES } from '../src/oci/media-type.ts';
import { readModule } from '../src/kmod/read-module.ts';
import { readLayerFiles } from '../src/oci/layer-files.ts';
import { parseManifest } from '../src/oci/manifest.ts';
import { kernelOfTag } from '../src/published-modules.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import { problemOf } from '../src/reuse-modules.ts';
import { STATIC_PASS } from '../src/verify/report.ts';
import { NEW, OLD, QUICKSTART, quickstartFiles, withTwoKernels, type Files } from './support/two-kernels.ts';

const symversPath = (files: Map<string, Buffer>): string =>
  [...files.keys()].find((path) => path.startsWith(`usr/lib/modules/${NEW}/symvers`)) ?? '';

/** Changes `symvers` of the kernel. */
async function withSymvers(files: Map<string, Buffer>, change: (text: string) => string): Promise<void> {
  const path = symversPath(files);
  const text = Buffer.from(await decompressModule(files.get(path)!)).toString('latin1');
  files.delete(path);
  files.set(`usr/lib/modules/${NEW}/symvers.gz`, gzipSync(change(text)));
}

/** Names of the symbols in `symvers` of an OS image. */
async function exportedBy(files: Files): Promise<ReadonlySet<string>> {
  const path = [...files.keys()].find((one) => /\/symvers\.(?:gz|xz)$/.test(one)) ?? '';
  const text = Buffer.from(await decompressModule(files.get(path)!)).toString('latin1');
  return new Set(text.split('\n').map((line) => line.split('\t')[1] ?? ''));
}

const REUSE = { reuseModules: true };

describe('reuse without compiling', () => {
  it('is off unless it is asked for', async () => {
    await withTwoKernels(async ({ old, addKernel: add, plan, build: make, set }) => {
      await make([old]);
      const target = await add();

      expect(await plan([target])).toMatchObject({ action: 'compile' });
      expect(await plan([target], REUSE)).toMatchObject({ action: 'reuse-without-compiling' });
      const asked = parseSpecWithReuse(set);
      expect(await plan([target], {}, asked)).toMatchObject({ action: 'reuse-without-compiling' });
      expect(await plan([target], { isOffline: true } as Partial<BuildOptions>, asked)).toMatchObject({
        action: 'compile',
      });
    });
  });

  it('puts modules that hold on a new kernel there, byte for byte, and says where they come from', async () => {
    await withTwoKernels(async ({ http, old, addKernel: add, plan, build: make, builds }) => {
      const first = await make([old]);
      const target = await add();
      builds.count = 0;

      const decision = await plan([target], REUSE);
      const second = await make([target], REUSE);

      expect(decision).toMatchObject({
        why: expect.stringMatching(/^made for 6\.1\.0-56-amd64; \d+ symbols hold$/) as string,
      });
      expect(builds.count).toBe(0);
      const [was] = first.images[0]!.provenance.drivers;
      const [is] = second.images[0]!.provenance.drivers;
      expect(is?.modules.map(({ sha256 }) => sha256)).toEqual(was?.modules.map(({ sha256 }) => sha256));
      expect(is?.modules[0]?.path).toBe(`/usr/lib/modules/${NEW}/extra/hello/kl_base.ko`);
      expect(is?.madeFor).toMatchObject({ kernel: OLD, proof: STATIC_PASS });
      expect(is?.madeFor?.image).toContain('@sha256:');
      expect(second.images[0]?.proof?.verdict).toBe('passes');
      const repository = await http.open('acme/os');
      const manifest = parseManifest(await repository.getManifest(second.images[0]!.tag));
      if (manifest.kind !== 'image') throw new TypeError('No image');
      const { files } = await readLayerFiles(() => repository.readBlob(manifest.layers.at(-1)!), {
        maxBytes: 1e8,
        wants: () => true,
      });
      expect(JSON.parse(String(files.get('usr/share/kmodlayer/hello.json')))).toMatchObject({
        drivers: [{ madeFor: { kernel: OLD, proof: STATIC_PASS } }],
      });
      expect(second.kmodImages[0]?.provenance.drivers[0]?.madeFor?.kernel).toBe(OLD);

      // What is there is taken by those who asked for it, and by nobody else.
      expect((await make([target], REUSE)).images[0]?.wasThere).toBe(true);
      expect(builds.count).toBe(0);
      expect(await plan([target])).toMatchObject({ action: 'compile' });
    });
  });

  it('knows of modules that were taken over before which kernel they were made for', async () => {
    await withTwoKernels(async ({ http, old, addKernel: add, plan, build: make }) => {
      await make([old]);
      await make([await add()], REUSE);
      for (const name of ['acme/os', 'acme/kmods']) {
        const { tags } = http.registry.repository(name);
        for (const tag of [...tags.keys()]) if (tag.includes(OLD)) tags.delete(tag);
      }
      const later = await add((files) => void files.set('etc/later', Buffer.from('')));

      const decision = await plan([later], REUSE);

      expect(decision).toMatchObject({
        action: 'reuse-without-compiling',
        why: expect.stringContaining(`made for ${OLD};`) as string,
      });
    });
  });

  it('compiles when a symbol has changed, and says which', async () => {
    await withTwoKernels(async ({ old, addKernel: add, plan, build: make }) => {
      await make([old]);
      const imported = readModule(await readFile(`${QUICKSTART}/modules/kl_base.ko`)).imports.find(
        ({ symbol }) => symbol !== 'module_layout',
      )!.symbol;
      const changed = await add((files) =>
        withSymvers(files, (text) =>
          text.replace(new RegExp(`^0x[0-9a-f]{8}(\\t${imported}\\t)`, 'm'), '0x0badc0de$1'),
        ),
      );
      const gone = await add((files) =>
        withSymvers(files, (text) =>
          text.replace(new RegExp(`^0x[0-9a-f]{8}\\t${imported}\\t.*\n`, 'm'), ''),
        ),
      );

      expect(await plan([changed], REUSE)).toMatchObject({
        action: 'compile',
        why: expect.stringContaining(
          `modules made for ${OLD} do not hold: ${imported} (another CRC)`,
        ) as string,
      });
      expect(await plan([gone], REUSE)).toMatchObject({
        action: 'compile',
        why: expect.stringContaining(`${imported} (nobody exports it)`) as string,
      });
    });
  });

  it('takes place only when no symbol at all has changed', async () => {
    await withTwoKernels(async ({ old, addKernel: add, plan, build: make }) => {
      await make([old]);
      const imports = new Set<string>();
      for (const name of ['kl_base', 'kl_hello'])
        readModule(await readFile(`${QUICKSTART}/modules/${name}.ko`)).imports.forEach(({ symbol }) =>
          imports.add(symbol),
        );
      const rows = await exportedBy(await quickstartFiles());
      const used = [...imports].filter((symbol) => rows.has(symbol));
      expect(used.length).toBeGreaterThan(3);

      await fc.assert(
        fc.asyncProperty(fc.subarray(used), fc.constantFrom('changed', 'gone'), async (symbols, how) => {
          const target = await add((files) =>
            withSymvers(files, (text) =>
              text
                .split('\n')
                .flatMap((line) => {
                  if (!symbols.includes(line.split('\t')[1] ?? '')) return [line];
                  return how === 'gone' ? [] : [line.replace(/^0x[0-9a-f]{8}/, '0x0badc0de')];
                })
                .join('\n'),
            ),
          );
          const { action } = await plan([target], REUSE);
          expect(action).toBe(symbols.length === 0 ? 'reuse-without-compiling' : 'compile');
        }),
        {
          numRuns: 4,
          examples: [
            [[], 'gone'],
            ...used.slice(0, 2).map((one) => [[one], 'changed'] as [string[], 'changed']),
          ],
        },
      );
    });
  });

  it('never takes place on a kernel that compares no CRCs, nor on one whose symbols are not known', async () => {
    await withTwoKernels(async ({ old, addKernel: add, plan, build: make }) => {
      await make([old]);
      const unversioned = await add((files) => {
        for (const [path, bytes] of files) {
          if (!path.endsWith('.ko') && !/\.ko\./.test(path)) continue;
          const at = bytes.indexOf('modversions ');
          if (at >= 0) bytes.write('modversionz ', at, 'latin1');
        }
      });
      const silent = await add((files) => void files.delete(symversPath(files)));

      for (const target of [unversioned, silent]) {
        const decision = await plan([target], REUSE);
        expect(decision).toMatchObject({
          action: 'compile',
          why: expect.stringContaining('do not hold') as string,
        });
      }
    });
  });

  it('passes over what others pushed', async () => {
    await withTwoKernels(async ({ http, old, addKernel: add, plan, build: make }) => {
      await make([old]);
      const target = await add();
      const layer = descriptorJson(http.registry.putBlob('acme/os', Buffer.from('no layer')));
      const mediaType = MEDIA_TYPES.oci.manifest;
      const foreign = { schemaVersion: 2, mediaType, config: layer, layers: [layer] };
      http.registry.putManifest('acme/os', foreign, `4.18.5-${NEW}-0123456789ab`);
      http.registry.putManifest('acme/os', { schemaVersion: 2, mediaType }, `4.18.6-${NEW}-0123456789ab`);

      expect(await plan([target], REUSE)).toMatchObject({ action: 'reuse-without-compiling' });
    });
  });

  it('takes nothing that was made from another source, or that others have signed', async () => {
    await withTwoKernels(async ({ old, addKernel: add, plan, build: make, set }) => {
      await make([old]);
      const target = await add();
      const [driver] = set.drivers;
      const other = {
        ...set,
        drivers: [{ ...driver!, build: { ...driver!.build!, args: { A: '1' } } }],
      } as DriverSet;
      const rsa = resolve('fixtures/modules/test-only-rsa');
      const signing = parseSpec(
        `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: hello }
targets: { releases: [4.18.4] }
drivers: [{ name: hello, version: "1", source: { directory: ./hello }, modules: [{ name: kl_base }] }]
sign: [{ key: "${rsa}.key", certificate: "${rsa}.pem" }]
publish: { osImage: quay.example.com/acme/os }
`,
        'kmodlayer.yaml',
      ).signing;

      expect(await plan([target], REUSE, other)).toMatchObject({
        action: 'compile',
        why: expect.stringMatching(/^needed by [^;]*$/) as string,
      });
      expect(await plan([target], REUSE, { ...set, signing })).toMatchObject({
        action: 'compile',
        why: expect.stringMatching(/^needed by [^;]*$/) as string,
      });
    });
  });
});

function parseSpecWithReuse(set: DriverSet): DriverSet {
  return { ...set, reuse: { withoutCompiling: true } };
}

describe('problemOf()', () => {
  const CHECKS = [
    'architecture',
    'this-module',
    'module-layout',
    'vermagic',
    'versions',
    'symbols',
    'symbol-crcs',
    'licence',
  ];

  it('is undefined only when every check that is needed was made and passed, and every symbol holds', () => {
    const status = fc.constantFrom('pass', 'pass', 'pass', 'fail', 'skip', 'warn', undefined);
    const use = fc.constantFrom(
      'ok',
      'ok',
      'ok',
      'weak',
      'crc-changed',
      'missing',
      'no-crc',
      'namespace',
      'licence',
    );
    fc.assert(
      fc.property(
        fc.tuple(...CHECKS.map(() => status)),
        fc.array(use, { maxLength: 4 }),
        fc.constantFrom('passes', 'fails'),
        (statuses, uses, verdict) => {
          const checks = CHECKS.flatMap((id, at) =>
            statuses[at] === undefined ? [] : [{ id, status: statuses[at], message: `${id} said` }],
          );
          const symbols = uses.map((one, at) => ({ symbol: `symbol_${at}`, status: one }));
          const module = { name: 'one', path: 'one.ko', verdict, checks, symbols, dependencies: [] };
          const report = { modules: [module], verdict, statement: 'it fails', kernel: NEW };

          const holds =
            statuses.every((one) => one === 'pass') &&
            uses.every((one) => one === 'ok' || one === 'weak') &&
            verdict === 'passes';
          expect(problemOf(report as unknown as Parameters<typeof problemOf>[0]) === undefined).toBe(holds);
        },
      ),
    );
  });
});

describe('kernelOfTag()', () => {
  it.each([
    ['4.18.4-5.14.0-427.50.1.el9_4.x86_64-85ac9e4ae3b8', '5.14.0-427.50.1.el9_4.x86_64'],
    ['4.18.0-rc.1-6.1.0-56-amd64-85ac9e4ae3b8', '6.1.0-56-amd64'],
    ['5.14.0-427.50.1.el9_4.x86_64_rt-85ac9e4ae3b8', '5.14.0-427.50.1.el9_4.x86_64_rt'],
    ['5.14.0-427.50.1.el9_4.x86_64', undefined],
    ['latest', undefined],
  ])('%s is an image for %s', (tag, kernel) => {
    expect(kernelOfTag(tag)).toBe(kernel);
  });
});
