/** Words of a module's path. All strings of this folder hold one byte per character (latin1), as depmod compares bytes. */

/** Name of the module that a file holds: up to the first dot, with `_` for `-`. */
export function moduleName(path: string): string {
  return rawName(path).replaceAll('-', '_');
}

/** Path without extensions: what depmod compares with search directories and overrides. */
export function moduleStem(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1 + rawName(path).length);
}

/** Path as `modules.order` has it, without a suffix of compression. depmod cuts at this length whatever stands there. */
export function uncompressedPath(path: string): string {
  return path.slice(0, moduleStem(path).length + '.ko'.length);
}

function rawName(path: string): string {
  const slash = path.lastIndexOf('/');
  const dot = path.indexOf('.', slash + 1);
  return dot < 0 ? path.slice(slash + 1) : path.slice(slash + 1, dot);
}

/** Pieces of a buffer by number: names of modules, or lines. */
export interface Pieces {
  readonly bytes: Buffer;
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/** Lays strings one after the other, with `separator` after each (which does not belong to the piece). */
export function toPieces(strings: readonly string[], separator = ''): Pieces {
  const start = new Int32Array(strings.length);
  const end = new Int32Array(strings.length);
  let at = 0;
  strings.forEach((text, index) => {
    start[index] = at;
    at += text.length;
    end[index] = at;
    at += separator.length;
  });
  const joined = strings.join(separator) + (strings.length > 0 ? separator : '');
  return { bytes: Buffer.from(joined, 'latin1'), start, end };
}
