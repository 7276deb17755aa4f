import { formatReference } from '../oci/reference.ts';
import type { Target } from '../resolve/target.ts';
import type { LayerFile } from './tar.ts';

/** What an image was made from; stands in the image, and in short in its labels. */
export interface Provenance {
  /** Name of the driver set. */
  readonly name: string;
  readonly target: Target;
  readonly drivers: readonly DriverProvenance[];
  /** None: the modules are not signed. Several: each module names all of them. */
  readonly signers: readonly SignerProvenance[];
  /** The key was made for this build and is gone: the image is for tests, and is never published. */
  readonly isThrowAway: boolean;
  readonly inputHash: string;
  /** Version of kmodlayer. */
  readonly toolVersion: string;
}

export interface DriverProvenance {
  readonly name: string;
  readonly version: string;
  /** What the modules were built from, for instance `{ type: 'git', url, commit }`. */
  readonly source: Readonly<Record<string, unknown>>;
  /** Hash of what the modules are compiled from, whatever the kernel; images of old do not have it. */
  readonly sourceHash?: string | undefined;
  /** Modules that were made for another kernel: which one, where they were taken from, and what was proven for this one. */
  readonly madeFor?:
    | {
        readonly kernel: string;
        /** By digest. */
        readonly image: string;
        /** Symbols that they import: all hold. */
        readonly symbols: number;
        /** What the proof says. */
        readonly proof: string;
      }
    | undefined;
  readonly modules: readonly {
    readonly name: string;
    /** Path in the image. */
    readonly path: string;
    readonly sha256: string;
    readonly replaces: readonly string[];
  }[];
}

export interface SignerProvenance {
  /** Common name of the certificate's subject. */
  readonly subject: string;
  /** Serial number in hex, as modinfo shows it in `sig_key`. */
  readonly serial: string;
  readonly hash: string;
  /** Digest of the certificate's DER bytes, hex. */
  readonly certificateSha256: string;
  /** The certificate in PEM. */
  readonly certificate: string;
}

/** Label of images that must not be published; what is layered on them inherits it. */
export const THROW_AWAY_LABEL = 'io.kmodlayer.throw-away-key';

/** The provenance file of a driver set, deterministic for equal inputs. */
export function provenanceFile(provenance: Provenance): LayerFile {
  const { target } = provenance;
  const json = {
    schema: 'kmodlayer/provenance/v1',
    name: provenance.name,
    release: { version: target.release.version, digest: target.release.digest },
    arch: target.arch,
    stream: target.stream,
    kernel: target.osImage.kernel,
    base: { image: formatReference(target.osImage.reference), digest: target.osImage.digest },
    driverToolkit: {
      image: formatReference(target.driverToolkit.reference),
      digest: target.driverToolkit.digest,
    },
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

/**
 * The labels of the image. Those of the base stay; the only one that changes is `io.openshift.metalayer`: `true` says
 * that the last layer describes the image's packages, and the last layer is now ours.
 */
export function provenanceLabels(
  provenance: Provenance,
  baseLabels: Readonly<Record<string, string>>,
): Record<string, string> {
  const { target, drivers, signers } = provenance;
  return {
    'io.kmodlayer.name': provenance.name,
    'io.kmodlayer.version': provenance.toolVersion,
    'io.kmodlayer.release': target.release.version,
    'io.kmodlayer.release.digest': target.release.digest,
    'io.kmodlayer.kernel': target.osImage.kernel,
    'io.kmodlayer.drivers': drivers.map(({ name, version }) => `${name}=${version}`).join(','),
    'io.kmodlayer.driver-toolkit': formatReference(target.driverToolkit.reference),
    'io.kmodlayer.signer': signerLabel(signers),
    ...(provenance.isThrowAway ? { [THROW_AWAY_LABEL]: 'true' } : {}),
    'io.kmodlayer.input-hash': provenance.inputHash,
    'org.opencontainers.image.base.name': formatReference(target.osImage.reference),
    'org.opencontainers.image.base.digest': target.osImage.digest,
    ...(baseLabels['io.openshift.metalayer'] === 'true' ? { 'io.openshift.metalayer': 'false' } : {}),
  };
}

/** Who signed, in a label. */
export function signerLabel(signers: readonly SignerProvenance[]): string {
  if (signers.length === 0) return 'unsigned';
  return signers.map(({ subject, serial }) => `${subject} ${serial}`).join(', ');
}

/**
 * The file by which SRO's preflight recognises for which kernel an image was made. It reads the layer's tar, so the path
 * is that of the tar; on import a node turns `etc/` into `/usr/etc`, which becomes `/etc`.
 */
export function driverToolkitReleaseFile({ driverToolkit, osImage }: Target): LayerFile {
  const json = {
    KERNEL_VERSION: osImage.kernel,
    RT_KERNEL_VERSION: driverToolkit.rtKernel ?? '',
    RHEL_VERSION: driverToolkit.rhelVersion,
  };
  return { path: 'etc/driver-toolkit-release.json', bytes: Buffer.from(`${JSON.stringify(json)}\n`) };
}
