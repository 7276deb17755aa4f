import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { kmodImageFiles } from '../../src/layer/kmod-image-files.ts';
import { makeLayer } from '../../src/layer/make-layer.ts';
import { day1OptionsOf } from '../../src/manifests/day1/from-set.ts';
import { kmmModuleOptionsOf } from '../../src/manifests/modules-from-set.ts';
import { walkLayer } from '../../src/oci/layer-reader.ts';
import { parseKernelRelease } from '../../src/spec/kernel-release.ts';
import { parseSpec } from '../../src/spec/spec.ts';
import { makeTestIo } from '../support/io.ts';

const specOf = (source: string) =>
  parseSpec(
    `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: nic }
targets: { releases: [4.18.4] }
drivers: [{ name: ice, version: '1', source: ${source}, modules: [{ name: ice }] }]
publish: { osImage: quay.example.com/acme/os, kmodImage: quay.example.com/acme/kmod }
rollout: { day1: [ice] }
`,
    '/specs/kmodlayer.yaml',
  );

describe('firmware of a package', () => {
  it('is named by what rolls a kmod image out', () => {
    const rpm = specOf(`{ rpm: { file: ice.rpm, sha256: ${'a'.repeat(64)} } }`);
    const files = specOf('{ files: [ice.ko] }');
    const firmwareOf = (set: typeof rpm) => [
      day1OptionsOf(set)[0]?.drivers[0]?.firmware,
      kmmModuleOptionsOf(set, 'openshift-kmm')[0]?.firmware,
    ];

    expect(firmwareOf(rpm)).toEqual(['/firmware', '/firmware']);
    expect(firmwareOf(files)).toEqual([undefined, undefined]);
  });

  it.each([true, false])('may be none: the directory is in the image all the same (%s)', async (mayHave) => {
    const { files } = await kmodImageFiles(
      {
        kernel: parseKernelRelease('5.14.0-427.50.1.el9_4.x86_64'),
        ...{ drivers: [], modules: new Map(), os: undefined, extraFiles: [], mayHaveFirmware: mayHave },
      },
      makeTestIo(),
    );
    const { chunks } = await makeLayer(files, 'kmod');
    const directories: string[] = [];
    await walkLayer(Readable.from(chunks), {
      maxBytes: 1e8,
      wants: () => false,
      onEntry: ({ path, type }) => {
        if (type === 'directory') directories.push(path);
      },
      onContent: () => undefined,
    });

    expect(directories.includes('firmware')).toBe(mayHave);
  });
});
