import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { digestOf, parseDigest } from '../src/oci/digest.ts';
import { parseReference } from '../src/oci/reference.ts';
import type { SetInputs } from '../src/plan/inputs.ts';
import { makeMatrix } from '../src/plan/matrix.ts';
import { plan } from '../src/plan/plan.ts';
import type { ResolvedImage, Target } from '../src/resolve/target.ts';
import { type KernelFlavour, parseKernelRelease } from '../src/spec/kernel-release.ts';
import { parseOpenShiftVersion } from '../src/spec/openshift-version.ts';
import { type DriverSet, parseSpec } from '../src/spec/spec.ts';
import type { PinnedTarget } from './plan.ts';

/** `plan-work.ts FILE SPEC`: reads pinned targets and plans a set for them; prints how many units there are, and the time. */
function main([file = '', specFile = '']: readonly string[]): void {
  const pinned = parse(readFileSync(file, 'utf8')) as { readonly targets: readonly PinnedTarget[] };
  const set = parseSpec(readFileSync(specFile, 'utf8'), specFile);
  const targets = pinned.targets.map(targetOf);
  const startedAt = process.hrtime.bigint();
  const made = plan(set, targets, inputsOf(set));
  const matrix = makeMatrix(made);
  const ms = Number(process.hrtime.bigint() - startedAt) / 1e6;
  const { compiles, images, kmodImages } = made;
  process.stdout.write(
    `${JSON.stringify({ compiles: compiles.length, images: images.length, kmodImages: kmodImages.length, jobs: matrix.include.length, ms })}\n`,
  );
}

function targetOf({ version, arch, kernel, images }: PinnedTarget): Target {
  const image = (name: keyof PinnedTarget['images']): ResolvedImage => {
    const reference = parseReference(images[name]);
    const digest = parseDigest(images[name].slice(images[name].indexOf('@') + 1));
    return { name, reference, location: reference, digest };
  };
  const release = parseKernelRelease(kernel);
  const kernels = (['default', 'rt'] as const satisfies readonly KernelFlavour[]).map((flavour) => ({
    flavour,
    release: flavour === 'rt' ? parseKernelRelease(`${kernel}+rt`) : release,
    isInOsImage: flavour === 'default',
  }));
  const { reference, digest } = image('release');
  return {
    release: { version: parseOpenShiftVersion(version), reference, digest },
    arch,
    stream: 'rhel-9',
    osImage: { ...image('osImage'), kernel: release, kernelSource: 'ostree.linux', machineOs: '' },
    extensions: image('extensions'),
    driverToolkit: {
      ...image('driverToolkit'),
      kernel: release,
      rtKernel: kernels[1]?.release,
      rhelVersion: '9.4',
    },
    kernels,
    rhelVersion: '9.4',
  };
}

function inputsOf({ drivers }: DriverSet): SetInputs {
  const digest = digestOf(Buffer.from('pinned'));
  return {
    drivers: new Map(
      drivers.map(({ name }) => [name, { source: { type: 'directory', digest }, firmware: [] }]),
    ),
    signers: [],
    scripts: digest,
  };
}

main(process.argv.slice(2));
