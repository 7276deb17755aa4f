/** The modules among which one is loaded: who exports what, and what modprobe loads first. */
export interface ModuleTree {
  /** The module that exports a symbol; undefined when none of the tree does. */
  readonly findProvider: (symbol: string) => SymbolProvider | undefined;
  /**
   * Paths of the modules that modprobe loads before one, by its own path, as `modules.dep` says; undefined for a
   * module that the indexes do not know.
   */
  readonly dependenciesOf: (path: string) => readonly string[] | undefined;
}

/** A module that exports a symbol; what is undefined is not known. */
export interface SymbolProvider {
  /** Below the kernel's module directory. */
  readonly path: string;
  readonly crc: number | undefined;
  readonly isGplOnly: boolean | undefined;
  /** Empty for a symbol without one. */
  readonly namespace: string | undefined;
  /** Its licence is not one of those that the kernel takes for compatible with the GPL. */
  readonly isProprietary: boolean | undefined;
}
