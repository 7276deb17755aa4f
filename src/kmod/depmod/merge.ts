import { type KernelModule, listModinfo } from '../module.ts';
import { type BaseIndexes, readBaseIndexes, unsupported } from './base-indexes.ts';
import { checkBaseIndexes } from './check-base.ts';
import { configForKernel, type DepmodConfig } from './config.ts';
import { findFile, getFile } from './index-format.ts';
import { mergeAliases } from './merge-aliases.ts';
import { mergeDependencies } from './merge-dependencies.ts';
import { mergeExports, type Symvers } from './merge-exports.ts';
import { dependencyHints, deviceNode, DEVNAME_HEADER } from './module-lines.ts';
import { type Block, mergeOwnedText, type OwnedText, parseOwnedText } from './owned-text.ts';
import { type AddedModule, type Precedence, selectModules, type Selection } from './select-modules.ts';
import { writeIndexes } from './write-indexes.ts';

export interface MergeRequest {
  /** The base's `modules.*` files by name. Those that are not indexes are ignored. */
  readonly base: ReadonlyMap<string, Uint8Array>;
  readonly added: readonly AddedModule[];
  /** depmod.d of the merged tree. What it says of the base's own modules must be what the base's indexes say. */
  readonly config: DepmodConfig;
  readonly kernelRelease: string;
  /** Modules of the base that were read because an earlier call asked for them, by path. */
  readonly baseModules?: ReadonlyMap<string, KernelModule>;
  /**
   * `Module.symvers` of the base's kernel. Without it a symbol that an added module exports, but the base's indexes do
   * not know, is taken to be new to the base's modules, too.
   */
  readonly symvers?: Symvers;
  /**
   * Promises that each symbol that a module of the base imports is exported by the kernel or another module of the
   * base, as distributions see to. Spares reading the whole base when an in-tree module that it lacks is added.
   */
  readonly isBaseClosed?: boolean;
  /** Promises that `checkBase` has passed these files. */
  readonly isBaseChecked?: boolean;
}

export type MergeResult =
  | {
      readonly kind: 'merged';
      /** Only the files whose bytes differ from the base's. */
      readonly files: ReadonlyMap<string, Uint8Array>;
      /** Modules of the base that an added file replaces. */
      readonly overridden: readonly Precedence[];
      /** Added files that lose against another file. */
      readonly shadowed: readonly Precedence[];
      /** Added files that depmod never looks at, because of an `exclude` line. */
      readonly excluded: readonly string[];
    }
  /** Read these modules of the base, and call again with them. */
  | { readonly kind: 'needs-modules'; readonly paths: readonly string[] };

/**
 * Merges modules into a base's indexes: the files are what `depmod -a` would write for the merged tree, byte for byte,
 * made without the base's modules. The order of `added` does not matter.
 *
 * @throws {ModuleError} `INDEX_INVALID`, `INDEX_UNSUPPORTED` (the base was not written by a depmod we know),
 * `DUPLICATE_MODULE`, `DUPLICATE_EXPORT`, `DEPENDENCY_CYCLE`, `NAME_MISMATCH`, `MODINFO_INVALID`, `LIMIT_EXCEEDED`.
 * @see kmod, `tools/depmod.c`
 */
export function mergeIndexes(request: MergeRequest): MergeResult {
  const likelyByteOrder = request.added.some(({ module }) => !module.isLittleEndian) ? 'big' : 'little';
  const base = readBaseIndexes(request.base, likelyByteOrder);
  if (request.isBaseChecked !== true) checkBaseIndexes(base);
  const selection = selectModules(base, {
    added: request.added,
    baseModules: request.baseModules ?? new Map<string, KernelModule>(),
    config: configForKernel(request.config, request.kernelRelease),
  });
  const exports = mergeExports(base, selection, request.symvers);
  const dependencies = mergeDependencies(base, selection, {
    ...exports,
    mayHaveUnknownUsers: exports.mayHaveUnknownUsers && request.isBaseClosed !== true,
  });
  if (dependencies.kind === 'unknown') {
    const { paths } = base.dependencies;
    return { kind: 'needs-modules', paths: dependencies.needed.map((number) => paths[number] ?? '') };
  }

  const written = writeIndexes(
    {
      paths: selection.modules.map(({ path }) => path),
      names: selection.modules.map(({ name }) => name),
      closures: dependencies.closures,
      symbols: exports.lines,
      alias: mergeAliases(base.aliases, selection),
      ...mergeTexts(base, selection),
    },
    base.layout,
    (file) => request.base.has(file),
  );
  const files = new Map([...written].filter(([name, bytes]) => !bytes.equals(getFile(request.base, name))));
  const { overridden, shadowed, excluded } = selection;
  return { kind: 'merged', files, overridden, shadowed, excluded };
}

type Texts = Readonly<Record<'softdep' | 'weakdep' | 'devname', Buffer>>;

/** The texts that hold lines of each module: those of replaced modules go, those of added ones come in their place. */
function mergeTexts(base: BaseIndexes, selection: Selection): Texts {
  const { numberOfName } = base.dependencies;
  const merge = (
    file: string,
    owned: OwnedText | undefined,
    lines: (name: string, module: KernelModule) => string,
  ): Buffer => {
    if (owned === undefined) throw unsupported(file);
    const added: Block[] = [];
    for (const [owner, { name, isAdded, module }] of selection.modules.entries()) {
      if (isAdded && module !== undefined)
        added.push({ owner, text: Buffer.from(lines(name, module), 'latin1') });
    }
    const numberOf = (owner: number): number | undefined =>
      selection.replaced.has(owner) ? undefined : selection.numberOfBase[owner];
    return mergeOwnedText(owned, numberOf, added);
  };
  const parse = (file: string, word: 0 | 1): OwnedText | undefined =>
    parseOwnedText(file, findFile(base.files, file) ?? Buffer.alloc(0), { word, numberOfName });
  const devname = merge('modules.devname', parse('modules.devname', 0), (name, module) =>
    deviceNode(name, listModinfo(module, 'alias')),
  );
  return {
    softdep: merge('modules.softdep', parse('modules.softdep', 1), (name, module) =>
      dependencyHints('softdep', name, module),
    ),
    weakdep: merge('modules.weakdep', parse('modules.weakdep', 1), (name, module) =>
      dependencyHints('weakdep', name, module),
    ),
    devname: withHeader(devname),
  };
}

/** depmod writes the comment only above lines. */
function withHeader(devname: Buffer): Buffer {
  const header = Buffer.from(DEVNAME_HEADER, 'latin1');
  const hasHeader = devname.subarray(0, header.length).equals(header);
  if (hasHeader) return devname.length === header.length ? Buffer.alloc(0) : devname;
  return devname.length === 0 ? devname : Buffer.concat([header, devname]);
}
