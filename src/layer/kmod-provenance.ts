import { formatReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import type { Digest } from '../oci/digest.ts';
import type { Arch } from '../oci/arch.ts';
import type { Target } from '../resolve/target.ts';
import type { KernelFlavour, KernelRelease } from '../spec/kernel-release.ts';
import { type Provenance, signerLabel, THROW_AWAY_LABEL } from './provenance.ts';
import type { LayerFile } from './tar.ts';

/** What a kmod image was made from. It names no release: all that have the kernel share the image. */
export interface KmodProvenance extends Omit<Provenance, 'target'> {
  readonly kernel: KernelRelease;
  readonly arch: Arch;
  readonly flavour: KernelFlavour;
  readonly driverToolkit: Pick<Target['driverToolkit'], 'reference' | 'digest'>;
  /** The image that ours stands on, by digest; undefined: on none. */
  readonly base: { readonly reference: Reference; readonly digest: Digest } | undefined;
}

/** The provenance file of a kmod image, deterministic for equal inputs. */
export function kmodProvenanceFile(provenance: KmodProvenance): LayerFile {
  const { base, driverToolkit } = provenance;
  const json = {
    schema: 'kmodlayer/kmod-provenance/v1',
    name: provenance.name,
    kernel: provenance.kernel,
    arch: provenance.arch,
    flavour: provenance.flavour,
    base: base === undefined ? null : { image: formatReference(base.reference), digest: base.digest },
    driverToolkit: { image: formatReference(driverToolkit.reference), digest: driverToolkit.digest },
    drivers: provenance.drivers,
    signers: provenance.signers,
    ...(provenance.isThrowAway ? { throwAwayKey: true } : {}),
    inputHash: provenance.inputHash,
    kmodlayer: provenance.toolVersion,
  };
  return {
    path: `usr/share/kmodlayer/${provenance.name}.json`,
    bytes: Buffer.from(`${JSON.stringify(json, null, 2)}\n`),
  };
}

/** The labels of a kmod image; those of its base stay. */
export function kmodProvenanceLabels(provenance: KmodProvenance): Record<string, string> {
  const { base, drivers } = provenance;
  return {
    'io.kmodlayer.name': provenance.name,
    'io.kmodlayer.version': provenance.toolVersion,
    'io.kmodlayer.kernel': provenance.kernel,
    'io.kmodlayer.drivers': drivers.map(({ name, version }) => `${name}=${version}`).join(','),
    'io.kmodlayer.driver-toolkit': formatReference(provenance.driverToolkit.reference),
    'io.kmodlayer.signer': signerLabel(provenance.signers),
    ...(provenance.isThrowAway ? { [THROW_AWAY_LABEL]: 'true' } : {}),
    'io.kmodlayer.input-hash': provenance.inputHash,
    ...(base === undefined
      ? {}
      : {
          'org.opencontainers.image.base.name': formatReference(base.reference),
          'org.opencontainers.image.base.digest': base.digest,
        }),
  };
}
