import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatReference } from '../../src/oci/reference.ts';
import { makeImages } from '../../src/registry/images.ts';
import { resolve } from '../../src/resolve/resolve.ts';
import { setUpResolve } from '../support/synthetic-release.ts';

const LAYOUT = join(import.meta.dirname, '../../fixtures/quickstart/release');

describe('resolve() of a release in a layout', () => {
  it('finds release and images in the layout, and keeps their logical names', async () => {
    const { io } = setUpResolve();

    const targets = await resolve({ release: `oci:${LAYOUT}` }, { ...io, images: makeImages({}) });

    expect(targets).toHaveLength(1);
    expect(targets[0]).toMatchObject({
      release: { version: '4.18.4' },
      arch: 'x86_64',
      stream: 'rhel-9',
      osImage: { name: 'rhel-coreos', kernel: '6.1.0-56-amd64' },
      driverToolkit: { name: 'driver-toolkit', kernel: '6.1.0-56-amd64' },
    });
    const { osImage } = targets[0]!;
    expect(formatReference(osImage.location)).toBe(`oci:${LAYOUT}@${osImage.digest}`);
    expect(osImage.reference).toMatchObject({ transport: 'docker', digest: osImage.digest });
  });
});
