import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeKernelFacts, readKernelFacts } from '../../src/verify/kernel-facts.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';
import { kernelFacts, kernelFiles, readKernelFixture, RELEASE } from './kernel.ts';

describe('makeKernelFacts()', () => {
  it('learns from one module and small files what a kernel asks', () => {
    const facts = kernelFacts();

    expect(facts).toMatchObject({
      release: RELEASE,
      vermagic: '6.1.0-56-amd64 SMP preempt mod_unload modversions ',
      thisModuleSizeBytes: 896,
      hasModversions: true,
      signers: [{ digestOid: '2.16.840.1.101.3.4.2.1' }],
    });
    expect(facts.exports?.get('usb_register_driver')).toEqual({
      symbol: 'usb_register_driver',
      crc: 0x74a3cb0d,
      owner: 'drivers/usb/core/usbcore',
      isGplOnly: true,
      namespace: undefined,
    });
    expect([...facts.builtins]).toHaveLength(3);
    expect(facts.config?.get('CONFIG_MODULE_SIG_HASH')).toBe('sha256');
  });

  it('leaves open what it was not told', () => {
    const facts = makeKernelFacts({ release: RELEASE, arch: 'x86_64' });

    expect(facts).toEqual({
      release: RELEASE,
      arch: 'x86_64',
      vermagic: undefined,
      thisModuleSizeBytes: undefined,
      hasModversions: undefined,
      exports: undefined,
      importedCrcs: new Map(),
      signers: undefined,
      builtins: new Set(),
      config: undefined,
    });
  });

  it('harvests CRCs from what modules of the kernel import', () => {
    const facts = kernelFacts({ symvers: undefined });

    expect(facts.importedCrcs.get('module_layout')).toBe(0x9060323f);
  });

  it('refuses symvers that are none', () => {
    expect(() => kernelFacts({ symvers: Buffer.from('no symvers\n') })).toThrow(/line 1 is no symbol/);
  });
});

describe('readKernelFacts()', () => {
  it('takes files as they lie in an image, compressed or not', async () => {
    const plain = kernelFiles();

    const facts = await readKernelFacts({
      ...plain,
      symvers: gzipSync(readKernelFixture('symvers')),
      modules: [readModuleFixture('kl_provider.ko.xz')],
    });

    expect(facts.exports).toEqual(kernelFacts().exports);
    expect(facts.signers).toEqual([]);
    expect(facts.vermagic).toBe(kernelFacts().vermagic);
  });
});
