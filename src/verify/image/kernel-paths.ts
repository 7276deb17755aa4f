import type { KernelRelease } from '../../spec/kernel-release.ts';
import { moduleNameOfPath } from '../../spec/module-name.ts';
import type { AddedTree } from './added-tree.ts';

/** A file below `usr/lib/modules/<kernel>/`. */
const OF_KERNEL = /^usr\/lib\/modules\/(?<kernel>[^/]+)\/(?<path>.+)$/;

export interface KernelPath {
  readonly kernel: string;
  /** Below the kernel's directory. */
  readonly path: string;
}

/** Directory of a kernel in an image, with a slash at its end. */
export function moduleDirectory(kernel: KernelRelease | undefined): string {
  return `usr/lib/modules/${kernel ?? ''}/`;
}

/** Undefined for what does not stand in a kernel's directory. */
export function kernelPathOf(path: string): KernelPath | undefined {
  const { kernel, path: below } = OF_KERNEL.exec(path)?.groups ?? {};
  return kernel === undefined || below === undefined ? undefined : { kernel, path: below };
}

/** Paths of the modules that `modules.dep` lists, in its order. */
export function modulesOfIndex(dep: Uint8Array | undefined): readonly string[] {
  return textOf(dep)
    .split('\n')
    .flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':'))] : []));
}

/** Lines of `modules.dep`: what each module needs, by its path. */
export function dependenciesOfIndex(dep: Uint8Array | undefined): ReadonlyMap<string, readonly string[]> {
  const lines = textOf(dep).split('\n');
  return new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(':');
      if (colon <= 0) return [];
      return [
        [
          line.slice(0, colon),
          line
            .slice(colon + 1)
            .split(' ')
            .filter(Boolean),
        ] as const,
      ];
    }),
  );
}

/** Names of all modules of an index. */
export function moduleNames(dep: Uint8Array | undefined): ReadonlySet<string> {
  return new Set(modulesOfIndex(dep).map(moduleNameOfPath));
}

/** Says whether a file of the base below a kernel's directory is in the image, too. */
export function isLeft(tree: AddedTree, path: string): boolean {
  return tree.entries.has(path) || !tree.removes(path);
}

/** Text of an index: bytes as characters, as depmod compares them. */
export function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined
    ? ''
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
