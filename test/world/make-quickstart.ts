import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDriverToolkit } from './driver-toolkit.ts';
import { isQuickstartSeed, makeKernelTree } from './kernel-tree.ts';
import { Layout } from './layout.ts';
import { writeOsImage } from './os-image.ts';
import type { Component } from './ostree-layers.ts';
import { writePayload } from './payload.ts';
import { fileEntry } from './tar.ts';

const CREATED = '2025-03-01T12:00:00Z';
const VERSION = '4.18.4';
const MACHINE_OS = '418.94.202503011200-0';

/**
 * Makes `fixtures/quickstart/release`: a release, a driver-toolkit without a compiler and an OS image with some 40
 * modules, in one OCI layout. Small enough for git, and read offline.
 *
 * Usage: `bash test/world/node.sh make-quickstart.ts PACKAGES KERNEL_RELEASE DIRECTORY`, where PACKAGES is the directory
 * into which the kernel's packages were unpacked.
 */
async function main([packages, kernelRelease, directory]: readonly string[]): Promise<void> {
  if (packages === undefined || kernelRelease === undefined || directory === undefined) {
    throw new Error('Usage: make-quickstart.ts PACKAGES KERNEL_RELEASE DIRECTORY');
  }
  rmSync(directory, { recursive: true, force: true });
  const scratch = mkdtempSync(join(tmpdir(), 'kmodlayer-quickstart-'));
  const kernelTree = join(scratch, 'tree');
  await makeKernelTree({
    packages,
    kernelRelease,
    isSeed: isQuickstartSeed,
    to: kernelTree,
    isWithoutKernel: true,
  });
  const layout = new Layout(directory);
  const common = { layout, family: 'oci', created: CREATED } as const;
  const osImage = await writeOsImage({
    layout,
    kernelTree,
    components: COMPONENTS,
    release: {
      version: VERSION,
      machineOs: MACHINE_OS,
      rhelVersion: '9.4',
      streamClass: 'rhel-9',
      format: 'chunked',
      family: 'oci',
      kernelRelease,
      created: CREATED,
      ostreeLinux: kernelRelease,
    },
  });
  const stub = async (path: string, text: string) => ({
    layer: await layout.writeLayer(`${path} ${text}`, () => [fileEntry(path, text)]),
    createdBy: 'base',
  });
  const driverToolkit = await writeDriverToolkit({
    ...common,
    layers: [await stub('etc/motd', 'A driver-toolkit without a compiler: it only says its kernel.\n')],
    version: VERSION,
    rhelVersion: '9.4',
    streamClass: 'rhel-9',
    kernelRelease,
    rtKernelRelease: kernelRelease.replace('-amd64', '-rt-amd64'),
    hasKernelLabels: false,
  });
  const extensions = await layout.writeImage({
    layers: [await stub('usr/share/rpm-ostree/extensions.json', '{}')],
    labels: { 'io.openshift.os.extensions': 'true' },
    family: 'oci',
    created: CREATED,
  });
  await writePayload({
    ...common,
    version: VERSION,
    previous: ['4.17.20', '4.18.3'],
    repository: 'quay.io/openshift-release-dev/ocp-v4.0-art-dev',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: MACHINE_OS,
        osImage: osImage.digest,
        extensions: extensions.digest,
        driverToolkit: driverToolkit.digest,
      },
    ],
    base: [await stub('usr/bin/cluster-version-operator', '#!/bin/sh\n')],
    name: VERSION,
  });
  rmSync(join(directory, 'layers'), { recursive: true });
  rmSync(scratch, { recursive: true });
  const sizes = readdirSync(join(directory, 'blobs/sha256')).map(
    (name) => readFileSync(join(directory, 'blobs/sha256', name)).length,
  );
  console.log(`${directory}: ${sizes.length} blobs, ${sizes.reduce((sum, size) => sum + size, 0)} bytes`);
}

const COMPONENTS: readonly Component[] = [
  {
    name: 'kmod',
    identifier: 'kmod-28-10.el9.x86_64',
    files: [{ path: 'usr/share/doc/kmod/README', mode: 0o644, content: () => Buffer.from('kmod\n') }],
  },
  {
    name: 'linux-firmware',
    identifier: 'linux-firmware-20230210-143.el9.noarch',
    files: [
      { path: 'usr/lib/firmware/README', mode: 0o644, content: () => Buffer.from('No firmware in here.\n') },
    ],
  },
];

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
