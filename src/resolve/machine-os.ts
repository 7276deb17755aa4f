import type { Component } from './payload.ts';

/** What a machine-os version says about the operating system. */
export interface MachineOs {
  /** `9.4`, or the major alone for CentOS Stream: `9`. */
  readonly rhelVersion: string;
}

const VERSIONS = 'io.openshift.build.versions';

/** `416.9.202411211032-0`: CentOS Stream has no minor. */
const CENTOS = /^4\d{2}\.(?<major>9|10)\.\d{12}-\d+$/;
/** `418.94.202501010000-0`: the OpenShift minor, then RHEL's major and minor without a dot. */
const WITH_OPENSHIFT = /^4\d{1,2}\.(?<major>\d)(?<minor>\d{1,2})\.\d{12}-\d+$/;
/** `9.6.20250925-0`: from 4.19 on, no OpenShift version in it. */
const RHEL_ALONE = /^(?<major>\d{1,2})\.(?<minor>\d{1,2})\.\d{8}-\d+$/;

/** Reads a machine-os version; undefined for Fedora's and for any other text. */
export function findMachineOs(text: string): MachineOs | undefined {
  const match = CENTOS.exec(text) ?? WITH_OPENSHIFT.exec(text) ?? RHEL_ALONE.exec(text);
  const { major, minor } = match?.groups ?? {};
  if (major === undefined) return undefined;
  return { rhelVersion: minor === undefined ? major : `${major}.${minor}` };
}

/**
 * The machine-os version of an OS image: by the annotation of its own tag, of the only other tag that has one (4.12 says
 * it on `machine-os-content` alone), by labels. Empty when nothing says it.
 */
export function machineOsVersion(
  osImage: Component,
  components: ReadonlyMap<string, Component>,
  labels: Readonly<Record<string, string>>,
): string {
  const own = annotatedMachineOs(osImage);
  if (own !== undefined) return own;
  const all = new Set([...components.values()].flatMap((component) => annotatedMachineOs(component) ?? []));
  const [only] = all;
  if (only !== undefined && all.size === 1) return only;
  return (
    fromVersions(labels[VERSIONS]) ??
    versionText(labels['version']) ??
    versionText(labels['org.opencontainers.image.version']) ??
    ''
  );
}

/** The machine-os version that an image of a payload is annotated with. */
export function annotatedMachineOs({ annotations }: Component): string | undefined {
  return fromVersions(annotations.get(VERSIONS));
}

/** Versions stand as `kubernetes=1.31.6,machine-os=...`. */
function fromVersions(list: string | undefined): string | undefined {
  const entry = list
    ?.split(',')
    .map((part) => part.trim())
    .find((part) => part.startsWith('machine-os='));
  return versionText(entry?.slice('machine-os='.length));
}

function versionText(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9A-Za-z][0-9A-Za-z.+_~-]{0,99}$/.test(text) ? text : undefined;
}
