/** What stands at a path of a root, the path itself not followed. */
export type RootNode =
  | { readonly type: 'file'; readonly bytes: Uint8Array }
  | { readonly type: 'symlink'; readonly target: string };

/** The files of an operating system, as far as they are known. Paths have no leading `/`. */
export interface Root {
  /** Undefined for directories, and for what is not there. */
  find(path: string): Promise<RootNode | undefined>;
}

/** A file that was found, and the links that led to it. */
export interface Found {
  /** Where it stands, links followed. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Links that were followed, by the path where each stands. */
  readonly links: ReadonlyMap<string, string>;
}

/** As the kernel has it. */
const MAX_LINKS = 40;

/** Follows a path as a process in that root would; undefined when it does not lead to a file. */
export async function follow(root: Root, path: string): Promise<Found | undefined> {
  const links = new Map<string, string>();
  let done: readonly string[] = [];
  let rest = partsOf(path);
  for (let followed = 0; rest.length > 0;) {
    const [part = '', ...others] = rest;
    rest = others;
    if (part === '..') {
      done = done.slice(0, -1);
      continue;
    }
    const here = [...done, part];
    const at = here.join('/');
    const node = await root.find(at);
    if (node?.type === 'file') return rest.length === 0 ? { path: at, bytes: node.bytes, links } : undefined;
    if (node === undefined) {
      // A directory, or nothing, which the next part will show.
      done = here;
      continue;
    }
    if (++followed > MAX_LINKS) return undefined;
    links.set(at, node.target);
    if (node.target.startsWith('/')) done = [];
    rest = [...partsOf(node.target), ...rest];
  }
  return undefined;
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
