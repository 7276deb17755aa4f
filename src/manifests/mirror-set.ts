import { SpecError } from '../errors.ts';
import { type ArgumentReader, makeArgumentReader, required } from './arguments.ts';
import { parseSubdomain } from './labels.ts';

export interface MirrorSetOptions {
  /** Name of the set, for instance `acme-drivers`. */
  readonly name: string;
  readonly mirrors: readonly MirrorEntry[];
}

/** Where images of a repository are found besides. */
export interface MirrorEntry {
  /** A registry, a namespace, a repository without tag and digest, or `*.example.com`. */
  readonly source: string;
  /** What takes the place of `source`, in the order in which they are tried. */
  readonly mirrors: readonly string[];
  /** Whether nodes pull from `source` when no mirror has an image; true when absent. */
  readonly contactSource?: boolean;
}

interface Mirror {
  readonly source: string;
  readonly mirrors: readonly string[];
  readonly mirrorSourcePolicy?: 'NeverContactSource';
}

/** Mirrors for images that are named by tag. */
export interface ImageTagMirrorSet {
  readonly apiVersion: 'config.openshift.io/v1';
  readonly kind: 'ImageTagMirrorSet';
  readonly metadata: { readonly name: string };
  readonly spec: { readonly imageTagMirrors: readonly Mirror[] };
}

/** Mirrors for images that are named by digest. */
export interface ImageDigestMirrorSet {
  readonly apiVersion: 'config.openshift.io/v1';
  readonly kind: 'ImageDigestMirrorSet';
  readonly metadata: { readonly name: string };
  readonly spec: { readonly imageDigestMirrors: readonly Mirror[] };
}

// What the definitions take: no repository has two separators in a row.
const HOST = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*`;
const PATH = String.raw`(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*`;
const LOCATION = new RegExp(`^${HOST}(?::[0-9]{1,5})?${PATH}$`);
const WILDCARD = new RegExp(String.raw`^\*\.${HOST}$`);

/**
 * Mirrors for pulls by tag, which is how nodes pull a kmod image with a tag for each kernel. Nodes take it over with a
 * MachineConfig of the operator's, mostly without a reboot.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 */
export function makeImageTagMirrorSet(options: MirrorSetOptions): ImageTagMirrorSet {
  const { name, mirrors } = readMirrorSet('this ImageTagMirrorSet', options);
  return {
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageTagMirrorSet',
    metadata: { name },
    spec: { imageTagMirrors: mirrors },
  };
}

/**
 * Mirrors for pulls by digest: of layered OS images, and of kmod images that are pinned. Pulls by tag never use them.
 *
 * @throws {SpecError} `VALUE_INVALID` as `makeImageTagMirrorSet`.
 */
export function makeImageDigestMirrorSet(options: MirrorSetOptions): ImageDigestMirrorSet {
  const { name, mirrors } = readMirrorSet('this ImageDigestMirrorSet', options);
  return {
    apiVersion: 'config.openshift.io/v1',
    kind: 'ImageDigestMirrorSet',
    metadata: { name },
    spec: { imageDigestMirrors: mirrors },
  };
}

function readMirrorSet(
  what: string,
  options: MirrorSetOptions,
): { readonly name: string; readonly mirrors: readonly Mirror[] } {
  const read = makeArgumentReader(what);
  const given = read.object('', options, ['name', 'mirrors']);
  const name = read.text('name', given['name'], parseSubdomain);
  const mirrors = read.list('mirrors', given['mirrors'], (at, item) => readEntry(read, at, item));
  if (Array.isArray(given['mirrors']) && given['mirrors'].length === 0) {
    read.report('mirrors', 'There are no mirrors', 'Name at least one source.');
  }
  const sources = mirrors.map(({ source }) => source);
  const twice = sources.find((source, at) => sources.indexOf(source) < at);
  if (twice !== undefined) {
    read.report('mirrors', `Source ${twice} is there twice`, 'Name all of its mirrors in one entry.');
  }
  read.finish();
  return { name: required(name), mirrors };
}

function readEntry(read: ArgumentReader, at: string, item: unknown): Mirror | undefined {
  const given = read.object(at, item, ['source', 'mirrors', 'contactSource']);
  const source = read.text(`${at}.source`, given['source'], (text) =>
    text.length <= 255 && WILDCARD.test(text) ? text : parseLocation(text),
  );
  const mirrors = read.list(`${at}.mirrors`, given['mirrors'], (path, one) =>
    read.text(path, one, parseLocation),
  );
  if (Array.isArray(given['mirrors']) && given['mirrors'].length === 0) {
    read.report(`${at}.mirrors`, 'There are no mirrors', 'Name at least one.');
  }
  const contactSource =
    given['contactSource'] === undefined || read.boolean(`${at}.contactSource`, given['contactSource']);
  if (source === undefined) return undefined;
  return {
    source,
    mirrors: [...new Set(mirrors)],
    ...(contactSource === false ? { mirrorSourcePolicy: 'NeverContactSource' } : {}),
  };
}

function parseLocation(text: string): string {
  if (text.length <= 511 && LOCATION.test(text)) return text;
  throw new SpecError(
    'VALUE_INVALID',
    `Cannot use ${JSON.stringify(text.slice(0, 200))} as a place of images`,
    {
      hint: 'Write HOST[:PORT][/NAMESPACE...][/REPOSITORY], without a tag or digest.',
    },
  );
}
