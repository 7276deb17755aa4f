import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OpenedImage } from '../../src/oci/open-image.ts';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import type { VerifyImageRequest } from '../../src/verify/image-report.ts';
import { STATIC_PASS, type TargetReport } from '../../src/verify/report.ts';
import { verifyImage } from '../../src/verify/verify-image.ts';
import { makeTestIo } from '../support/io.ts';
import {
  file,
  fixtureModule,
  KERNEL,
  layered,
  layerWith,
  MODULES,
  openQuickstart,
  type RawEntry,
} from '../support/layered-image.ts';

const SIGNED = fixtureModule('kl_provider.sha256.ko');
const PROVIDER = fixtureModule('kl_provider.ko');
const CONSUMER = fixtureModule('kl_consumer.ko');
const CERTIFICATE = parseCertificate(readFileSync('fixtures/modules/test-only-rsa.pem'));

let base: OpenedImage;
let good: readonly RawEntry[];
let kmodImage: OpenedImage;

beforeAll(async () => {
  base = await openQuickstart();
  good = await layerWith(base, {
    'extra/hello/kl_provider.ko': SIGNED,
    'extra/hello/kl_consumer.ko': CONSUMER,
  });
  kmodImage = {
    ...base,
    manifest: { ...base.manifest, layers: [] },
    config: { ...base.config, labels: {}, diffIds: [], history: [] },
  };
});

async function verify(image: OpenedImage, options: Partial<VerifyImageRequest> = {}): Promise<TargetReport> {
  return (await verifyImage({ subject: 'image', image, ...options }, makeTestIo())).report;
}

async function verifyLayers(...layers: readonly (readonly RawEntry[])[]): Promise<TargetReport> {
  return verify(await layered(base, layers));
}

/** Checks of all modules that fail, in short: `kl_consumer symbols`. */
function failures({ modules }: TargetReport): readonly string[] {
  return modules.flatMap(({ name, checks }) =>
    checks.filter(({ status }) => status === 'fail').map(({ id }) => `${name} ${id}`),
  );
}

describe('verifyImage()', () => {
  it('passes a layer that is as it should be, and says by what it was judged', async () => {
    const report = await verifyLayers(good);

    expect(report).toMatchObject({
      subject: 'image',
      kernel: KERNEL,
      arch: 'x86_64',
      verdict: 'passes',
      statement: STATIC_PASS,
      findings: [],
    });
    expect(report.modules.map(({ name, path }) => `${name} ${path}`)).toEqual([
      'kl_provider extra/hello/kl_provider.ko',
      'kl_consumer extra/hello/kl_consumer.ko',
    ]);
    expect(report.modules[1]?.dependencies).toEqual(['extra/hello/kl_provider.ko']);
    expect(report.evidence.map(({ name }) => name)).toContain('modules.dep.bin');
  });

  it('holds modules to the certificates that the nodes trust', async () => {
    const report = await verify(await layered(base, [good]), { certificates: [CERTIFICATE] });

    expect(failures(report)).toEqual(['kl_consumer signature']);
    expect(report).toMatchObject({ verdict: 'fails', statement: '1 module would not load: kl_consumer' });
  });

  it('fails for a rule of layers, whatever the modules are', async () => {
    const report = await verifyLayers(good, [file('opt/vendor/tool')]);

    expect(failures(report)).toEqual([]);
    expect(report).toMatchObject({ verdict: 'fails', findings: [{ rule: 'dropped-path' }] });
  });

  it('says what a module lacks that was not added', async () => {
    const report = await verifyLayers(await layerWith(base, { 'extra/kl_consumer.ko': CONSUMER }));

    expect(failures(report)).toContain('kl_consumer symbols');
  });

  it('looks at modules that depmod was not run for', async () => {
    const report = await verifyLayers(good.filter(({ name }) => name.endsWith('.ko')));

    expect(report.findings.map(({ rule }) => rule)).toEqual(['module-not-indexed']);
    expect(failures(report)).toEqual(['kl_provider dependencies', 'kl_consumer dependencies']);
    expect(report.modules.map(({ verdict }) => verdict)).toEqual(['fails', 'fails']);
    expect(report.modules[1]?.dependencies).toEqual(['extra/hello/kl_provider.ko']);
  });

  it('looks at modules when no index can be read', async () => {
    const report = await verifyLayers([
      ...good.filter(({ name }) => name.endsWith('.ko')),
      file(`${MODULES}/modules.dep`, 'x'),
      file(`${MODULES}/updates/kl_provider.ko`, PROVIDER),
      file(`${MODULES}/extra/kl_provider.ko`, PROVIDER),
    ]);

    expect(report.verdict).toBe('fails');
    expect(report.modules).toHaveLength(4);
  });

  it('reports files that are no modules once', async () => {
    const report = await verifyLayers([...good, file(`${MODULES}/extra/broken.ko`, 'broken')]);

    expect(report.findings.map(({ rule }) => rule)).toEqual(['module-not-indexed']);
    expect(failures(report)).toEqual(['broken elf']);
  });

  it('knows parameters and firmware of the layers', async () => {
    const report = await verifyLayers([
      ...good,
      file('usr/lib/modprobe.d/hello.conf', 'options kl_provider nothing=1\n'),
      file('usr/lib/firmware/kl/one.bin'),
      file('usr/lib/firmware/kl/two.bin.xz'),
    ]);

    const checks = (name: string): readonly string[] =>
      report.modules
        .filter((module) => module.name === name)
        .flatMap((module) => module.checks.map(({ id, status }) => `${id} ${status}`));
    expect(checks('kl_provider')).toContain('parameters warn');
    expect(checks('kl_consumer')).toContain('firmware pass');
  });

  it('proves nothing where nothing was added', async () => {
    expect(await verify(base)).toMatchObject({
      verdict: 'fails',
      statement: 'no layer adds a kernel module: there is nothing to prove',
      findings: [{ rule: 'no-modules' }],
    });
  });

  it('fails for another kernel than the one that was asked for', async () => {
    const report = await verify(await layered(base, [good]), {
      kernel: parseKernelRelease('5.14.0-1.x86_64'),
    });

    expect(report.findings).toMatchObject([
      { rule: 'kernel-disagrees', message: `the image boots ${KERNEL}, and not 5.14.0-1.x86_64` },
    ]);
  });

  it('refuses an image that does not say what was added to what', async () => {
    const image = await layered(base, [good]);
    const lost = { ...image, config: { ...image.config, labels: { 'ostree.bootable': 'true' } } };

    await expect(verify(lost)).rejects.toMatchObject({
      name: 'SpecError',
      code: 'USAGE',
      message: expect.stringContaining('nothing says where the base of the image ends') as unknown,
      hint: expect.stringContaining('--base IMAGE or --layers N') as unknown,
    });
    await expect(verify(image, { base: await layered(base, [[file('usr/share/x')]]) })).rejects.toMatchObject(
      {
        name: 'SpecError',
        message: expect.stringContaining('was not built on') as unknown,
      },
    );
  });

  describe('of a kmod image', () => {
    const DIRECTORY = `opt/lib/modules/${KERNEL}`;
    const files = (directory: string): RawEntry[] => [
      file(`${directory}/kl_provider.ko`, SIGNED),
      file(`${directory}/kl_consumer.ko`, CONSUMER),
      ...[
        'modules.dep',
        'modules.dep.bin',
        'modules.alias',
        'modules.alias.bin',
        'modules.symbols',
        'modules.symbols.bin',
      ].map((name) => file(`${directory}/${name}`, readFileSync(`fixtures/kmod-image/own/${name}`))),
    ];

    it('proves its modules against the kernel of an OS image', async () => {
      const report = await verify(await layered(kmodImage, [files(DIRECTORY)]), { base });

      expect(report).toMatchObject({
        verdict: 'passes',
        statement: STATIC_PASS,
        kernel: KERNEL,
        findings: [],
      });
      expect(report.modules.map(({ path }) => path)).toEqual([
        `${DIRECTORY}/kl_provider.ko`,
        `${DIRECTORY}/kl_consumer.ko`,
      ]);
      expect(report.modules[1]?.dependencies).toEqual([`${DIRECTORY}/kl_provider.ko`]);
    });

    it('says what a boot of the OS image needs to load them', async () => {
      const image = await layered(kmodImage, [files(DIRECTORY)]);

      const { source, added } = await verifyImage({ subject: 'image', image, base }, makeTestIo());

      const tree = `usr/lib/modules/${KERNEL}`;
      expect(source).toEqual({ type: 'image', image: base });
      expect(added.get(`${tree}/updates/kmodlayer/kl_provider.ko`)).toEqual(SIGNED);
      expect(Buffer.from(added.get(`${tree}/modules.dep`) ?? []).toString()).toContain(
        'updates/kmodlayer/kl_consumer.ko: updates/kmodlayer/kl_provider.ko\n',
      );
    });

    it('fails when it has none for that kernel', async () => {
      const report = await verify(await layered(kmodImage, [files('opt/lib/modules/5.14.0-1.x86_64')]), {
        base,
      });

      expect(report).toMatchObject({ verdict: 'fails', modules: [], findings: [{ rule: 'absent-kernel' }] });
    });

    it('needs an OS image', async () => {
      await expect(verify(await layered(kmodImage, [files(DIRECTORY)]))).rejects.toMatchObject({
        code: 'USAGE',
        hint: 'For a kmod image, name the OS image that its modules are loaded on: --base IMAGE.',
      });
    });
  });
});
