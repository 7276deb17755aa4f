import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** A kernel of Debian, unpacked: its modules and what its headers come with. */
export interface DebianKernel {
  readonly release: string;
  /** The kernel itself. */
  readonly image: string;
  /** What it was built with. */
  readonly config: string;
  /** Directory of the modules. */
  readonly modules: string;
  readonly symvers: string;
  /** The kernel's own `scripts/sign-file`. */
  readonly signFile: string;
}

/**
 * Kernels that `npm run world` unpacked, oldest first.
 *
 * @param kind Those for real time stand apart: most suites have enough with the others.
 * @throws {Error} When there are none.
 */
export function listDebianKernels(
  kind: 'kernels' | 'kernels-rt' = 'kernels',
): readonly [DebianKernel, ...DebianKernel[]] {
  const world = resolve(process.env['KMODLAYER_WORLD'] ?? join(import.meta.dirname, '../../.world'));
  const parent = join(world, kind);
  const releases = existsSync(parent) ? readdirSync(parent) : [];
  const kernels = releases
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .filter((release) => existsSync(join(parent, release, 'lib/modules', release, 'kernel')))
    .map((release) => {
      const root = join(parent, release);
      const kbuild = readdirSync(join(root, 'usr/lib')).find((name) => name.startsWith('linux-kbuild-'));
      return {
        release,
        image: join(root, `boot/vmlinuz-${release}`),
        config: join(root, `boot/config-${release}`),
        modules: join(root, 'lib/modules', release, 'kernel'),
        symvers: join(root, `usr/src/linux-headers-${release}/Module.symvers`),
        signFile: join(root, 'usr/lib', kbuild ?? 'no-linux-kbuild', 'scripts/sign-file'),
      };
    });
  const [first, ...rest] = kernels;
  if (first === undefined) throw new Error(`There are no kernels in ${parent}: run "npm run world" as root`);
  return [first, ...rest];
}

/** Modules of a kernel, about `count` of them, spread evenly over the sorted tree. */
export function sampleModules(kernel: DebianKernel, count: number): readonly string[] {
  const all = readdirSync(kernel.modules, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.ko(\.xz|\.zst)?$/.test(path))
    .sort();
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_path, index) => index % step === 0).map((path) => join(kernel.modules, path));
}
