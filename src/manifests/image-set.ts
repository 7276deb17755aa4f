import { createRequire } from 'node:module';
import type compareFunction from 'semver/functions/compare.js';
import { SpecError } from '../errors.ts';
import { type Arch, ARCHES, goArchOf, parseArch } from '../oci/arch.ts';
import { formatReference } from '../oci/reference.ts';
import { minorOf, type OpenShiftVersion, parseOpenShiftVersion } from '../spec/openshift-version.ts';
import { type ArgumentReader, makeArgumentReader } from './arguments.ts';
import { parseRegistryImage } from './registry-image.ts';

export interface ImageSetOptions {
  /** Releases with all of their images; none when absent. */
  readonly releases?: readonly ImageSetRelease[];
  /** Of all releases; x86_64 when absent. */
  readonly arches?: readonly string[];
  /** Images besides, by digest or by tag. Of a name with both, the digest counts. */
  readonly images?: readonly string[];
}

/** A release, and where the update graph has it. */
export interface ImageSetRelease {
  /** For instance `4.18.4`. */
  readonly version: string;
  /** For instance `eus-4.18`; `stable` of its minor when absent, and `candidate` for pre-releases. */
  readonly channel?: string;
}

/** Releases of one channel, from the oldest to the newest of them. */
interface ReleaseChannel {
  readonly name: string;
  readonly type: 'ocp';
  readonly minVersion: OpenShiftVersion;
  readonly maxVersion: OpenShiftVersion;
}

/** What oc-mirror takes to another site. It is a file for that program, and no object of clusters. */
export interface ImageSetConfiguration {
  readonly kind: 'ImageSetConfiguration';
  readonly apiVersion: 'mirror.openshift.io/v2alpha1';
  readonly mirror: {
    readonly platform?: {
      readonly architectures: readonly string[];
      readonly channels: readonly ReleaseChannel[];
    };
    readonly additionalImages?: readonly { readonly name: string }[];
  };
}

interface Release {
  readonly version: OpenShiftVersion;
  readonly channel: string;
}

const CHANNEL = /^(?:stable|fast|eus|candidate)-\d{1,4}\.\d{1,4}$/;

/** Says whether a text is a channel of the update graph, such as `stable-4.18`. */
export function isChannel(text: string): boolean {
  return CHANNEL.test(text);
}

/**
 * The configuration of oc-mirror 2 for releases and images. It refuses a channel that is there twice, so each stands
 * there once, from the oldest to the newest release that was named: what lies between them is mirrored, too.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makeImageSetConfiguration(options: ImageSetOptions): ImageSetConfiguration {
  const read = makeArgumentReader('this ImageSetConfiguration');
  const given = read.object('', options, ['releases', 'arches', 'images']);
  const listed = (name: 'releases' | 'arches' | 'images'): unknown => given[name] ?? [];
  const releases = read.list('releases', listed('releases'), (at, item) => readRelease(read, at, item));
  const arches = read.list('arches', listed('arches'), (at, item) => read.text(at, item, parseArch));
  const images = read.list('images', listed('images'), (at, item) => read.text(at, item, parseMirrorable));
  const isEmpty = (list: unknown): boolean => Array.isArray(list) && list.length === 0;
  if (isEmpty(listed('releases')) && isEmpty(listed('images'))) {
    read.report('releases', 'There are neither releases nor images', 'Name at least one.');
  }
  read.finish();
  return {
    kind: 'ImageSetConfiguration',
    apiVersion: 'mirror.openshift.io/v2alpha1',
    mirror: {
      ...(releases.length === 0
        ? {}
        : { platform: { architectures: goArchesOf(arches), channels: channelsOf(releases) } }),
      ...(images.length === 0 ? {} : { additionalImages: [...new Set(images)].map((name) => ({ name })) }),
    },
  };
}

function readRelease(read: ArgumentReader, at: string, item: unknown): Release | undefined {
  const given = read.object(at, item, ['version', 'channel']);
  const version = read.text(`${at}.version`, given['version'], parseMirrorableVersion);
  const channel =
    given['channel'] === undefined ? undefined : read.text(`${at}.channel`, given['channel'], parseChannel);
  if (version === undefined) return undefined;
  return { version, channel: channel ?? defaultChannel(version) };
}

function defaultChannel(version: OpenShiftVersion): string {
  return `${version.includes('-') ? 'candidate' : 'stable'}-${minorOf(version).join('.')}`;
}

function goArchesOf(arches: readonly Arch[]): readonly string[] {
  return arches.length === 0 ? ['amd64'] : ARCHES.filter((arch) => arches.includes(arch)).map(goArchOf);
}

function channelsOf(releases: readonly Release[]): readonly ReleaseChannel[] {
  const compare = createRequire(import.meta.url)('semver/functions/compare.js') as typeof compareFunction;
  const sorted = [...releases].sort((a, b) => compare(a.version, b.version, true));
  const channels = new Map<string, ReleaseChannel>();
  for (const { version, channel } of sorted) {
    const { minVersion } = channels.get(channel) ?? { minVersion: version };
    channels.set(channel, { name: channel, type: 'ocp', minVersion, maxVersion: version });
  }
  return [...channels.values()];
}

/** OKD has one channel for all of its releases, under other names. */
function parseMirrorableVersion(text: string): OpenShiftVersion {
  const version = parseOpenShiftVersion(text);
  if (!/[-.](?:okd|scos)(?:[-.]|$)/.test(version)) return version;
  throw new SpecError('VALUE_INVALID', `Cannot mirror release ${version} by a channel: it is one of OKD`, {
    hint: 'Mirror it with "oc adm release mirror".',
  });
}

function parseChannel(text: string): string {
  if (isChannel(text)) return text;
  throw new SpecError('VALUE_INVALID', `Cannot use channel ${JSON.stringify(text.slice(0, 200))}`, {
    hint: 'Write one of stable, fast, eus and candidate with a minor, for instance stable-4.18.',
  });
}

/** oc-mirror passes over names with both a tag and a digest, without an error. */
function parseMirrorable(text: string): string {
  const reference = parseRegistryImage(text);
  if (reference.tag !== undefined || reference.digest !== undefined) return formatReference(reference);
  throw new SpecError('VALUE_INVALID', `Cannot mirror ${text}: it has neither a tag nor a digest`, {
    hint: 'Add ":TAG" or "@sha256:...".',
  });
}
