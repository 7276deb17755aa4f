/** Files that are modules, plain or compressed. */
export const MODULE_FILE = /\.ko(?:\.(?:gz|xz|zst))?$/;

/** The kernel release whose directory a module lies in, below any prefix; undefined for one that lies elsewhere. */
export function kernelOfPath(path: string): string | undefined {
  return /(?:^|\/)lib\/modules\/(?<kernel>[^/]+)\//.exec(path)?.groups?.['kernel'];
}
