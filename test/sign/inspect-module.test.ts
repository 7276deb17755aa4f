import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodError } from '../../src/errors.ts';
import { inspectModule } from '../../src/sign/inspect-module.ts';
import { fuzzRuns, mutated } from '../kmod/fuzz.ts';
import { readModuleFixture } from '../kmod/fixtures.ts';

describe('inspectModule()', () => {
  it('shows the fields that modinfo shows', async () => {
    const { description } = await inspectModule(readModuleFixture('kl_consumer.ko'));

    expect(description).toEqual({
      name: 'kl_consumer',
      arch: 'x86_64',
      version: '1.2.3',
      vermagic: '6.1.0-56-amd64 SMP preempt mod_unload modversions ',
      kernelRelease: '6.1.0-56-amd64',
      license: 'GPL',
      description: 'Consumer of three symbols',
      authors: ['kmodlayer'],
      sourceVersion: 'C342B6EE20B16EB26081F0E',
      isInTree: false,
      depends: ['kl_provider'],
      softdeps: ['pre: dummy post: loop'],
      aliases: [
        'kl-consumer',
        'pci:v00008086d00001593sv*sd*bc*sc*i*',
        'pci:v00008086d00001592sv*sd*bc*sc*i*',
      ],
      firmware: ['kl/two.bin', 'kl/one.bin'],
      importNamespaces: ['KL_NAMESPACE'],
      parameters: [
        { name: 'quiet', type: 'bool', description: undefined },
        { name: 'mode', type: 'charp', description: 'auto or manual' },
        { name: 'debug', type: 'int', description: 'level of debug messages' },
      ],
    });
  });

  it('shows the signature as modinfo does', async () => {
    const { signature } = await inspectModule(readModuleFixture('kl_provider.sha256.ko'));

    const signer = {
      signer: 'Test only, trust nowhere',
      key: 'E1:D2:C3:B4:A5:96:87:78',
      keyKind: 'serial',
      hash: 'sha256',
    };
    expect(signature).toEqual({ idType: 'PKCS#7', ...signer, sizeBytes: 429, signers: [signer] });
  });

  it('shows the identifier of the key when the signature names nothing else', async () => {
    const { signature } = await inspectModule(readModuleFixture('kl_provider.key-id.ko'));

    expect(signature).toMatchObject({
      signer: undefined,
      key: '76:E3:E5:5C:2E:76:07:B7:2E:09:6B:E1:01:76:8C:93:96:67:26:79',
      keyKind: 'key-id',
    });
  });

  it('reads a compressed module and tells how it is packed', async () => {
    const inspection = await inspectModule(readModuleFixture('kl_provider.ko.xz'));

    expect(inspection).toMatchObject({ compression: 'xz', sizeBytes: 5880, signature: undefined });
  });

  it('shows what is wrong with a signature, and the rest all the same', async () => {
    const bytes = Buffer.from(readModuleFixture('kl_provider.sha256.ko'));
    bytes[bytes.length - 40] = 1;

    const inspection = await inspectModule(bytes);

    expect(inspection.description.name).toBe('kl_provider');
    expect(inspection.signatureProblem).toContain('fields that must be zero are not');
  });

  it('throws nothing but its own errors for damaged modules', async () => {
    const files = ['kl_provider.sha256.ko', 'kl_provider.key-id.ko', 'kl_consumer.ko'].map(readModuleFixture);

    await fc.assert(
      fc.asyncProperty(fc.oneof(...files.map(mutated)), async (bytes) => {
        const result = await inspectModule(bytes, { maxBytes: 2 ** 20 }).catch((error: unknown) => error);

        expect(!(result instanceof Error) || result instanceof KmodError).toBe(true);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });
});
