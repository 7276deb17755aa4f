import { SpecError } from '../errors.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import { parseObjectName } from '../spec/object-name.ts';

export interface OsImageOptions {
  /** Name of the MachineConfig, for instance `99-worker-telco-nic`. */
  readonly name: string;
  /** MachineConfigPool whose nodes get the image, for instance `worker`. */
  readonly pool: string;
  /** The layered image, by digest. */
  readonly image: Reference;
}

/** A MachineConfig that names an OS image. */
export interface OsImageMachineConfig {
  readonly apiVersion: 'machineconfiguration.openshift.io/v1';
  readonly kind: 'MachineConfig';
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly osImageURL: string };
}

/**
 * The MachineConfig that makes the nodes of a pool boot an image (Day 0).
 *
 * Nodes compare the string with what they booted and never look at a tag again, so only a digest is accepted, without
 * a tag beside it.
 *
 * @throws {SpecError} `VALUE_INVALID` for a name or pool that Kubernetes would refuse, a layout, or a missing digest.
 */
export function makeOsImageMachineConfig({ name, pool, image }: OsImageOptions): OsImageMachineConfig {
  if (image.transport !== 'docker') {
    throw new SpecError(
      'VALUE_INVALID',
      `Cannot roll out ${formatReference(image)}: nodes pull from registries only`,
      {
        hint: 'Push the image to a registry that the nodes reach, and name it there.',
      },
    );
  }
  if (image.digest === undefined || image.tag !== undefined) {
    throw new SpecError(
      'VALUE_INVALID',
      `Cannot roll out ${formatReference(image)}: it is not pinned to a digest`,
      {
        hint: 'Write REPOSITORY@sha256:...; nodes would not notice when a tag moves.',
      },
    );
  }
  return {
    apiVersion: 'machineconfiguration.openshift.io/v1',
    kind: 'MachineConfig',
    metadata: {
      name: parseObjectName(name),
      labels: { 'machineconfiguration.openshift.io/role': parseObjectName(pool) },
    },
    spec: { osImageURL: formatReference(image) },
  };
}
