import type { Arch } from '../oci/arch.ts';
import { findModinfo, listModinfo, type KernelModule } from './module.ts';

/** A parameter of a module, as `modinfo` shows it. */
export interface ModuleParameter {
  readonly name: string;
  /** For instance `int`, `charp` or `bool`; undefined when the module does not say. */
  readonly type: string | undefined;
  readonly description: string | undefined;
}

/** The fields that `modinfo` prints, by their meaning. */
export interface ModuleDescription {
  readonly name: string | undefined;
  readonly arch: Arch | undefined;
  readonly version: string | undefined;
  /** The whole version magic; its trailing blank is part of it. */
  readonly vermagic: string | undefined;
  /** The kernel release that the module was built for: the first word of the version magic. */
  readonly kernelRelease: string | undefined;
  readonly license: string | undefined;
  readonly description: string | undefined;
  readonly authors: readonly string[];
  readonly sourceVersion: string | undefined;
  readonly isInTree: boolean;
  readonly depends: readonly string[];
  readonly softdeps: readonly string[];
  readonly aliases: readonly string[];
  readonly firmware: readonly string[];
  readonly importNamespaces: readonly string[];
  readonly parameters: readonly ModuleParameter[];
}

/** What a module says of itself. */
export function describeModule(module: KernelModule): ModuleDescription {
  const first = (key: string): string | undefined => findModinfo(module, key);
  const all = (key: string): readonly string[] => listModinfo(module, key);
  const vermagic = first('vermagic');
  return {
    name: first('name'),
    arch: module.arch,
    version: first('version'),
    vermagic,
    kernelRelease: vermagic?.split(' ', 1)[0],
    license: first('license'),
    description: first('description'),
    authors: all('author'),
    sourceVersion: first('srcversion'),
    isInTree: first('intree') === 'Y',
    depends: (first('depends') ?? '').split(',').filter((name) => name !== ''),
    softdeps: all('softdep'),
    aliases: all('alias'),
    firmware: all('firmware'),
    importNamespaces: all('import_ns'),
    parameters: listParameters(module),
  };
}

/** Parameters in the order in which they are first named, which may be by `parm` or by `parmtype`. */
function listParameters(module: KernelModule): readonly ModuleParameter[] {
  const parameters = new Map<string, ModuleParameter>();
  for (const { key, value } of module.modinfo) {
    if (key !== 'parm' && key !== 'parmtype') continue;
    const colon = value.indexOf(':');
    const name = colon < 0 ? value : value.slice(0, colon);
    const text = colon < 0 ? undefined : value.slice(colon + 1);
    const known = parameters.get(name) ?? { name, type: undefined, description: undefined };
    parameters.set(name, key === 'parm' ? { ...known, description: text } : { ...known, type: text });
  }
  return [...parameters.values()];
}
