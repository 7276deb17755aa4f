import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { LayerError } from '../errors.ts';
import type { Cache } from '../io.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';
import type { LayerEntry } from '../oci/layer-reader.ts';

/** What stands at a path. A commit's own directories do not tell links from files: those are `file`, too. */
export type PathKind = 'directory' | 'file' | 'symlink';

export interface KnownPath {
  readonly kind: PathKind;
  /** Undefined where only the name is known, and for what has no content. */
  readonly sizeBytes: number | undefined;
}

/** Paths of one layer, and what it hides of older ones. */
export interface LayerPaths {
  readonly paths: ReadonlyMap<string, KnownPath>;
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
}

const OBJECTS = 'sysroot/ostree/repo/';

/** All names of a layer; those of a whole OS have some 5 MB. */
const MAX_NAMES_LENGTH = 64 * 1024 ** 2;

const MAX_KEPT_BYTES = 256 * 1024 ** 2;

/** Takes a layer's entries as they come, and ends with its paths. */
export class PathCollector {
  readonly #paths = new Map<string, KnownPath>();
  readonly #whiteouts: string[] = [];
  readonly #opaque: string[] = [];
  readonly #linkObjects = new Set<string>();
  #lastObject: { readonly path: string; readonly sizeBytes: number } | undefined;
  #namesLength = 0;

  /** @throws {LayerError} `CONTENT_INVALID` for a layer with more names than any OS has. */
  add(entry: LayerEntry): void {
    const { path, type, sizeBytes, linkPath = '' } = entry;
    if (path.startsWith(OBJECTS)) {
      if (type === 'symlink') this.#linkObjects.add(path);
      if (type === 'file') this.#lastObject = { path, sizeBytes };
      return;
    }
    this.#namesLength += path.length;
    if (this.#namesLength > MAX_NAMES_LENGTH)
      throw new LayerError('CONTENT_INVALID', 'Cannot read a layer: it has too many names');
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (name === '.wh..wh..opq') this.#opaque.push(path.slice(0, Math.max(slash, 0)));
    else if (name.startsWith('.wh.')) this.#whiteouts.push(path.slice(0, slash + 1) + name.slice(4));
    else if (path !== '') this.#paths.set(path, this.#known(type, sizeBytes, linkPath));
  }

  /** Chunks of a commit name files without the directories that they stand in: those are there all the same. */
  toPaths(): LayerPaths {
    for (const path of [...this.#paths.keys()]) {
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
        const parent = path.slice(0, at);
        if (this.#paths.has(parent)) break;
        this.#paths.set(parent, { kind: 'directory', sizeBytes: undefined });
      }
    }
    return { paths: this.#paths, whiteouts: this.#whiteouts, opaque: this.#opaque };
  }

  #known(type: LayerEntry['type'], sizeBytes: number, linkPath: string): KnownPath {
    if (type === 'directory') return { kind: 'directory', sizeBytes: undefined };
    if (type === 'symlink' || (type === 'hardlink' && this.#linkObjects.has(linkPath)))
      return { kind: 'symlink', sizeBytes: undefined };
    if (type !== 'hardlink') return { kind: 'file', sizeBytes };
    if (this.#lastObject?.path === linkPath) return { kind: 'file', sizeBytes: this.#lastObject.sizeBytes };
    return { kind: 'file', sizeBytes: this.#paths.get(linkPath)?.sizeBytes };
  }
}

/** What was kept: the paths of a layer, or those of the whole commit whose directories a layer holds. */
export type PathsOf = 'layer' | 'commit';

/** The paths of a layer as far as they were learnt before; reads no layer. */
export async function findLayerPaths(
  layer: Descriptor,
  cache: Cache,
  of: PathsOf = 'layer',
): Promise<LayerPaths | undefined> {
  const kept = await cache.get(keyOf(layer, of));
  return kept === undefined ? undefined : unpack(kept);
}

/** Keeps the paths of a layer, which never change. */
export async function keepLayerPaths(
  layer: Descriptor,
  paths: LayerPaths,
  cache: Cache,
  of: PathsOf = 'layer',
): Promise<void> {
  const lines = [...paths.paths].map(([path, { kind, sizeBytes }]) => [kind[0], sizeBytes ?? '', path]);
  const text = [
    ...lines.map((words) => words.join(' ')),
    ...paths.whiteouts.map((path) => `w  ${path}`),
    ...paths.opaque.map((path) => `o  ${path}`),
  ];
  // One name per line: a name that holds line breaks is left to be read from the layer itself.
  if ([...paths.paths.keys(), ...paths.whiteouts, ...paths.opaque].some((path) => path.includes('\n')))
    return;
  await cache.put(keyOf(layer, of), await promisify(gzip)(Buffer.from(text.join('\n'))));
}

function keyOf(layer: Descriptor, of: PathsOf): string {
  return `${of}-paths-v1-${hexOf(layer.digest)}`;
}

const KINDS: ReadonlyMap<string, PathKind> = new Map([
  ['d', 'directory'],
  ['f', 'file'],
  ['s', 'symlink'],
]);

/** Undefined for an entry that was damaged: it is then learnt anew. */
async function unpack(kept: Uint8Array): Promise<LayerPaths | undefined> {
  let text: string;
  try {
    text = (await unzip(kept, { maxOutputLength: MAX_KEPT_BYTES })).toString('utf8');
  } catch {
    return undefined;
  }
  const paths = new Map<string, KnownPath>();
  const whiteouts: string[] = [];
  const opaque: string[] = [];
  for (const line of text === '' ? [] : text.split('\n')) {
    const [, letter = '', size = '', path = ''] = /^(\w) (\d*) (.*)$/s.exec(line) ?? [];
    const kind = KINDS.get(letter);
    if (kind !== undefined) paths.set(path, { kind, sizeBytes: size === '' ? undefined : Number(size) });
    else if (letter === 'w') whiteouts.push(path);
    else if (letter === 'o') opaque.push(path);
    else return undefined;
  }
  return { paths, whiteouts, opaque };
}

const unzip = promisify<Uint8Array, { readonly maxOutputLength: number }, Buffer>(gunzip);
