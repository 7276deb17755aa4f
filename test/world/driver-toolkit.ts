import type { Image, ImageLayer, Layout } from './layout.ts';
import { fileEntry } from './tar.ts';

export interface DriverToolkitOptions {
  readonly layout: Layout;
  /** Layers with compiler and headers; the one with the facts is put on top. */
  readonly layers: readonly ImageLayer[];
  readonly version: string;
  readonly rhelVersion: string;
  readonly streamClass: 'rhel-9' | 'rhel-10';
  readonly kernelRelease: string;
  /** What the file says; undefined leaves the key out, as old and single-flavour driver-toolkits do. */
  readonly rtKernelRelease: string | undefined;
  /** Labels `kernel-version` and `kernel-rt-version`, which driver-toolkits have from 4.22 on. */
  readonly hasKernelLabels: boolean;
  readonly family: 'docker' | 'oci';
  readonly created: string;
  readonly name?: string;
}

/** Writes a driver-toolkit image: its facts stand in the last layer, in one line, as the real build writes them. */
export async function writeDriverToolkit(options: DriverToolkitOptions): Promise<Image> {
  const { layout, kernelRelease, rtKernelRelease, rhelVersion } = options;
  const facts = [
    `"KERNEL_VERSION": "${kernelRelease}"`,
    ...(rtKernelRelease === undefined ? [] : [`"RT_KERNEL_VERSION": "${rtKernelRelease}"`]),
    `"RHEL_VERSION": "${rhelVersion}"`,
  ];
  const text = `{ ${facts.join(', ')} }\n`;
  const layer = await layout.writeLayer(`driver-toolkit facts ${text}`, () => [
    { path: 'etc', type: 'directory', mode: 0o755 },
    fileEntry('etc/driver-toolkit-release.json', text),
  ]);
  const isRealRt = rtKernelRelease?.startsWith(kernelRelease.slice(0, 3)) === true;
  return layout.writeImage({
    layers: [
      ...options.layers,
      {
        layer,
        createdBy: '/bin/sh -c echo "{ \\"KERNEL_VERSION\\": ..." > /etc/driver-toolkit-release.json',
      },
    ],
    emptySteps: [
      {
        after: options.layers.length,
        createdBy: '/bin/sh -c #(nop) LABEL io.k8s.display-name=driver-toolkit',
      },
    ],
    labels: {
      'io.k8s.description':
        'driver-toolkit is a container with the kernel packages necessary for building driver containers',
      'io.openshift.build.source-location': 'https://github.com/openshift/driver-toolkit',
      'io.openshift.os.streamclass': options.streamClass,
      name: 'openshift/driver-toolkit-rhel9',
      version: `v${options.version}`,
      ...(options.hasKernelLabels
        ? { 'kernel-version': kernelRelease, 'kernel-rt-version': isRealRt ? rtKernelRelease : '' }
        : {}),
    },
    family: options.family,
    created: options.created,
    ...(options.name === undefined ? {} : { name: options.name }),
  });
}
