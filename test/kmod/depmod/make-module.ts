import type { KernelModule } from '../../../src/kmod/module.ts';

export interface ModuleShape {
  readonly imports?: readonly string[];
  readonly exports?: readonly string[];
  readonly aliases?: readonly string[];
  readonly softdeps?: readonly string[];
  readonly weakdeps?: readonly string[];
  readonly namespaceNames?: readonly string[];
  readonly hasVersions?: boolean;
  readonly isLittleEndian?: boolean;
}

/** A module as `readModule` would give it, with only what indexes are made of. */
export function makeModule(shape: ModuleShape = {}): KernelModule {
  const isLittleEndian = shape.isLittleEndian ?? true;
  return {
    arch: isLittleEndian ? 'x86_64' : 's390x',
    machine: isLittleEndian ? 62 : 22,
    isLittleEndian,
    modinfo: [
      ...(shape.aliases ?? []).map((value) => ({ key: 'alias', value })),
      ...(shape.softdeps ?? []).map((value) => ({ key: 'softdep', value })),
      ...(shape.weakdeps ?? []).map((value) => ({ key: 'weakdep', value })),
    ],
    imports: (shape.imports ?? []).map((symbol) => ({ symbol, isWeak: false, crc: undefined })),
    exports: (shape.exports ?? []).map((symbol) => ({
      symbol,
      crc: undefined,
      isGplOnly: false,
      namespace: undefined,
    })),
    namespaceNames: shape.namespaceNames ?? [],
    thisModuleSizeBytes: 896,
    hasVersions: shape.hasVersions ?? true,
    hasBtf: false,
  };
}
