import { KmodError, SpecError } from '../errors.ts';
import { ARCHES } from '../oci/arch.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { parseReference, pinned, type Reference } from '../oci/reference.ts';
import type { ExcludedRelease } from '../resolve/exclusions.ts';
import { kernelsOf } from '../resolve/flavours.ts';
import type { UpdateFacts, UpdateRisk } from '../resolve/graph.ts';
import type { KernelSource, ResolvedImage, Target } from '../resolve/target.ts';
import { type KernelRelease, parseKernelRelease } from '../spec/kernel-release.ts';
import { isOpenShiftVersion, type OpenShiftVersion } from '../spec/openshift-version.ts';
import { readYamlDocuments } from '../yaml-documents.ts';
import type { Lock } from './lock.ts';
import { placeFrom } from './lockfile.ts';
import type { PinnedSource } from './pin-source.ts';

/** Largest lock file that is read, in characters: some 50,000 targets. */
const MAX_LOCK_LENGTH = 32 * 1024 ** 2;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const LINE = /^[^\0-\x1f\x7f]{0,4096}$/;
const HEX_64 = /^[0-9a-f]{64}$/;
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const FINGERPRINT = /^[0-9A-F]{40}$/;
const RHEL = /^\d{1,3}(?:\.\d{1,3})?$/;

const KERNEL_SOURCES: Readonly<Record<KernelSource, true>> = {
  'meta.json': true,
  'ostree.linux': true,
  history: true,
  'module-directory': true,
  'driver-toolkit-release.json': true,
  'driver-toolkit-labels': true,
};

/** Where a lock comes from. */
export interface LockFile {
  /** As the user named it, for messages. */
  readonly file: string;
  /** Its directory, where the paths of layouts start. */
  readonly directory: string;
}

/**
 * Reads a lock file. Everything in it is checked: it may have been edited, or merged.
 *
 * @throws {SpecError} `LOCK_INVALID`.
 */
export function parseLock(text: string, { file, directory }: LockFile): Lock {
  const fail: Fail = (why) => {
    throw new SpecError('LOCK_INVALID', `Cannot use ${file}: ${why}`, {
      hint: 'Write it anew with "kmodlayer lock".',
    });
  };
  try {
    return readLock(readDocument(text, fail), directory, fail);
  } catch (error) {
    if (!(error instanceof KmodError) || error.code === 'LOCK_INVALID') throw error;
    return fail(error.message);
  }
}

type Fail = (why: string) => never;
type Entry = Readonly<Record<string, unknown>>;

function readDocument(text: string, fail: Fail): Entry {
  if (text.length > MAX_LOCK_LENGTH) return fail(`it has ${text.length} characters`);
  if (/^(?:<{7}|>{7}) /m.test(text)) return fail('a merge has left its marks in it');
  let value: unknown;
  try {
    const [document, ...others] = readYamlDocuments(text, { uniqueKeys: false });
    const [error] = document?.errors ?? [];
    if (error !== undefined) return fail(`it is not YAML: ${error.message.split('\n')[0] ?? ''}`);
    if (others.length > 0) return fail('it has more than one document');
    value = document?.toJS({ maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof KmodError) throw error;
    return fail(`it is not YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`);
  }
  const document = entryOf(value, fail);
  if (document['kind'] !== 'Lock') return fail('it is no lock file');
  if (document['apiVersion'] !== 'kmodlayer/v1') {
    return fail('another version of kmodlayer has written it');
  }
  return document;
}

function readLock(document: Entry, directory: string, fail: Fail): Lock {
  const places = new Map(
    Object.entries(entryOf(document['repositories'] ?? {}, fail)).map(([alias, name]) => [
      alias,
      placeFrom(parseReference(textOf(name, LINE, { what: 'repository', fail })), directory),
    ]),
  );
  const risks = new Map(
    listOf(document['risks'], fail).map((value) => {
      const risk = riskOf(entryOf(value, fail), fail);
      return [risk.name, risk] as const;
    }),
  );
  const read = { places, risks, fail };
  return {
    spec: textOf(document['spec'], HEX_64, { what: 'spec', fail }),
    targets: listOf(document['targets'], fail).map((value) => targetOf(entryOf(value, fail), read)),
    excluded: listOf(document['excluded'], fail).map((value): ExcludedRelease => {
      const { release, because } = entryOf(value, fail);
      return { version: versionOf(release, fail), because: textOf(because, LINE, { what: 'reason', fail }) };
    }),
    pins: Object.fromEntries(
      listOf(document['drivers'], fail).map((value) => pinOf(entryOf(value, fail), fail)),
    ),
  };
}

interface Reading {
  readonly places: ReadonlyMap<string, Reference>;
  readonly risks: ReadonlyMap<string, UpdateRisk>;
  readonly fail: Fail;
}

function targetOf(entry: Entry, read: Reading): Target {
  const { fail } = read;
  const version = versionOf(entry['release'], fail);
  const arch = ARCHES.find((one) => one === entry['arch']) ?? fail(`${version} has no known architecture`);
  const kernel = kernelOf(entry['kernel'], fail);
  const rtKernel = entry['rtKernel'] === undefined ? undefined : kernelOf(entry['rtKernel'], fail);
  const rhelVersion = entry['rhel'] === undefined ? '' : textOf(entry['rhel'], RHEL, { what: 'rhel', fail });
  const { digest, reference } = referenceOf(entry['payload'], read);
  const update = updateOf(entry, read);
  return {
    release: { version, reference, digest, ...signedByOf(entry['signedBy'], fail) },
    arch,
    stream: textOf(entry['stream'], NAME, { what: 'stream', fail }),
    osImage: {
      ...imageOf(entry['osImage'], read),
      kernel,
      kernelSource: kernelSourceOf(entry['kernelSource'], fail),
      machineOs:
        entry['machineOs'] === undefined ? '' : textOf(entry['machineOs'], NAME, { what: 'machineOs', fail }),
    },
    extensions: entry['extensions'] === undefined ? undefined : imageOf(entry['extensions'], read),
    driverToolkit: {
      ...imageOf(entry['driverToolkit'], read),
      kernel: entry['toolkitKernel'] === undefined ? kernel : kernelOf(entry['toolkitKernel'], fail),
      rtKernel,
      rhelVersion: toolkitRhel(entry['toolkitRhel'], rhelVersion, fail),
    },
    kernels: kernelsOf({ version, arch, kernel, toolkit: { rtKernel } }, undefined),
    rhelVersion,
    ...(update === undefined ? {} : { update }),
  };
}

function signedByOf(value: unknown, fail: Fail): Pick<Target['release'], 'signedBy'> {
  if (value === undefined) return {};
  return { signedBy: listOf(value, fail).map((key) => textOf(key, FINGERPRINT, { what: 'signedBy', fail })) };
}

function toolkitRhel(value: unknown, rhelVersion: string, fail: Fail): string {
  if (value === undefined) return rhelVersion;
  return value === '' ? '' : textOf(value, RHEL, { what: 'toolkitRhel', fail });
}

function updateOf({ channel, risks }: Entry, { risks: known, fail }: Reading): UpdateFacts | undefined {
  if (channel === undefined) return undefined;
  return {
    channel: textOf(channel, LINE, { what: 'channel', fail }),
    risks: listOf(risks, fail).map(
      (name) => known.get(String(name)) ?? fail(`it does not describe risk ${JSON.stringify(name)}`),
    ),
  };
}

/** `NAME ALIAS@DIGEST` or `NAME ALIAS@DIGEST ALIAS-OF-LOCATION`. */
function imageOf(value: unknown, read: Reading): ResolvedImage {
  const [name = '', pullspec, there] = typeof value === 'string' ? value.split(' ') : [];
  const { digest, reference } = referenceOf(pullspec, read);
  return {
    name: textOf(name, NAME, { what: 'image', fail: read.fail }),
    digest,
    reference,
    location: there === undefined ? reference : pinned(placeOf(there, read), digest),
  };
}

function referenceOf(
  value: unknown,
  read: Reading,
): { readonly digest: Digest; readonly reference: Reference } {
  const text = typeof value === 'string' ? value : '';
  const at = text.indexOf('@');
  const digest = text.slice(at + 1);
  if (at < 0 || !isDigest(digest)) return read.fail(`${shown(value)} is no image by digest`);
  return { digest, reference: pinned(placeOf(text.slice(0, at), read), digest) };
}

function placeOf(alias: string, { places, fail }: Reading): Reference {
  return places.get(alias) ?? fail(`it does not say which repository ${shown(alias)} is`);
}

function pinOf(entry: Entry, fail: Fail): readonly [string, PinnedSource] {
  const name = textOf(entry['name'], NAME, { what: 'driver', fail });
  return [name, pinnedSourceOf(entry, name, fail)];
}

const PINNED_BY_DIGEST = ['directory', 'files', 'archive', 'srpm', 'rpm', 'module'] as const;

function pinnedSourceOf(entry: Entry, driver: string, fail: Fail): PinnedSource {
  const { type, url, ref, commit } = entry;
  if (type === 'git') {
    return {
      type,
      url: textOf(url, LINE, { what: 'url', fail }),
      ref: textOf(ref, LINE, { what: 'ref', fail }),
      commit: textOf(commit, COMMIT, { what: 'commit', fail }),
    };
  }
  const digestFrom = (value: unknown): Digest =>
    typeof value === 'string' && isDigest(value)
      ? value
      : fail(`the source of driver ${driver} has no digest`);
  if (type === 'dkms') {
    const tree = entryOf(entry['tree'], fail);
    if (tree['type'] === 'dkms') return fail(`the tree of driver ${driver} is none`);
    return { type, tree: pinnedSourceOf(tree, driver, fail) };
  }
  if (type === 'image') {
    const images = Object.entries(entryOf(entry['images'], fail));
    return {
      type,
      images: Object.fromEntries(images.map(([kernel, digest]) => [kernel, digestFrom(digest)])),
    };
  }
  const known = PINNED_BY_DIGEST.find((one) => one === type);
  if (known === undefined) return fail(`driver ${driver} has no known type of source`);
  return { type: known, digest: digestFrom(entry['digest']) };
}

function riskOf({ name, url, message }: Entry, fail: Fail): UpdateRisk {
  return {
    name: textOf(name, NAME, { what: 'risk', fail }),
    url: textOf(url, LINE, { what: 'url', fail }),
    message: textOf(message, LINE, { what: 'message', fail }),
  };
}

function versionOf(value: unknown, fail: Fail): OpenShiftVersion {
  return typeof value === 'string' && isOpenShiftVersion(value)
    ? value
    : fail(`${shown(value)} is no version`);
}

function kernelOf(value: unknown, fail: Fail): KernelRelease {
  return parseKernelRelease(textOf(value, LINE, { what: 'kernel', fail }));
}

function kernelSourceOf(value: unknown, fail: Fail): KernelSource {
  const isKnown = typeof value === 'string' && Object.hasOwn(KERNEL_SOURCES, value);
  return isKnown ? (value as KernelSource) : fail(`${shown(value)} is no source of a kernel release`);
}

function textOf(
  value: unknown,
  pattern: RegExp,
  { what, fail }: { readonly what: string; readonly fail: Fail },
): string {
  return typeof value === 'string' && pattern.test(value)
    ? value
    : fail(`${shown(value)} is no value of "${what}"`);
}

function entryOf(value: unknown, fail: Fail): Entry {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Entry;
  return fail(`${shown(value)} stands where a mapping should`);
}

function listOf(value: unknown, fail: Fail): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value)
    ? (value as readonly unknown[])
    : fail(`${shown(value)} stands where a list should`);
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 100);
}
