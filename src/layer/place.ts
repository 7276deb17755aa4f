import { LayerError } from '../errors.ts';
import type { KernelRelease } from '../spec/kernel-release.ts';
import type { LayerFile } from './tar.ts';

/** A module that goes into a layer: signed, uncompressed. */
export interface PlacedModule {
  readonly name: string;
  /** File name, for instance `ice.ko`. */
  readonly fileName: string;
  readonly bytes: Uint8Array;
  readonly autoload: boolean;
  /** In-tree modules that must not be loaded any more: the module's own name, or others. */
  readonly replaces: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
  /** It goes into the initramfs, too. */
  readonly initramfs?: boolean | undefined;
}

/** A driver, ready to be placed. */
export interface PlacedDriver {
  readonly name: string;
  readonly modules: readonly PlacedModule[];
  readonly softdeps: readonly {
    readonly module: string;
    readonly pre: readonly string[];
    readonly post: readonly string[];
  }[];
  /** Firmware by path below `usr/lib/firmware`. */
  readonly firmware: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

/** Where a module of a driver goes, below the kernel's module directory. */
export function modulePath(driver: string, fileName: string): string {
  return `extra/${driver}/${fileName}`;
}

/**
 * The files of a driver in an OS image, all but the indexes.
 *
 * Everything lies under `/usr`, which the image replaces as a whole: what is under `/etc` would be merged with what
 * the node has.
 */
export function placeDriver(driver: PlacedDriver, kernel: KernelRelease): LayerFile[] {
  const file = (path: string, lines: readonly string[]): LayerFile[] =>
    lines.length === 0 ? [] : [{ path, bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')) }];
  return [
    ...driver.modules.map(({ fileName, bytes }) => ({
      path: `usr/lib/modules/${kernel}/${modulePath(driver.name, fileName)}`,
      bytes,
    })),
    ...file(`usr/lib/modules-load.d/kmodlayer-${driver.name}.conf`, autoloadLines(driver)),
    ...file(`usr/lib/modprobe.d/kmodlayer-${driver.name}.conf`, modprobeLines(driver)),
    ...file(`usr/lib/depmod.d/kmodlayer-${driver.name}.conf`, overrideLines(driver)),
    ...driver.firmware.map(({ path, bytes }) => ({ path: `usr/lib/firmware/${path}`, bytes })),
  ];
}

/** Lines of `modules-load.d`. */
export function autoloadLines({ modules }: Pick<PlacedDriver, 'modules'>): string[] {
  return modules.filter(({ autoload }) => autoload).map(({ name }) => name);
}

/** Lines of `modprobe.d`. */
export function modprobeLines({ modules, softdeps }: Pick<PlacedDriver, 'modules' | 'softdeps'>): string[] {
  return [
    ...modules.flatMap(({ name, parameters }) => {
      const values = Object.entries(parameters).map(([key, value]) => `${key}=${quote(value)}`);
      return values.length === 0 ? [] : [`options ${name} ${values.join(' ')}`];
    }),
    ...softdeps.map(({ module, pre, post }) =>
      [
        `softdep ${module}`,
        ...(pre.length > 0 ? ['pre:', ...pre] : []),
        ...(post.length > 0 ? ['post:', ...post] : []),
      ].join(' '),
    ),
    ...modules.flatMap(({ name, replaces }) =>
      replaces.filter((other) => other !== name).map((other) => `blacklist ${other}`),
    ),
  ];
}

/**
 * A module that has the name of an in-tree one wins by an `override` line, as in packaged kernel modules: then it wins
 * whatever search order the base has, and whoever runs depmod on the node gets what we wrote.
 */
function overrideLines({ name: driver, modules }: PlacedDriver): string[] {
  return modules
    .filter(({ name, replaces }) => replaces.includes(name))
    .map(({ fileName }) => `override ${fileName.slice(0, fileName.indexOf('.'))} * extra/${driver}`);
}

/** A value as the kernel's command line parser, which modprobe hands it to, reads it: spaces only inside double quotes. */
function quote(value: string): string {
  if (/["\\\r\n\0#]/.test(value)) {
    throw new LayerError(
      'CONTENT_INVALID',
      `Cannot write the module parameter ${JSON.stringify(value)} to modprobe.d`,
      {
        hint: 'Parameters cannot hold quotes, backslashes, "#" or line breaks.',
      },
    );
  }
  return /\s/.test(value) ? `"${value}"` : value;
}
