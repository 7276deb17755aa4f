import type { OpenedImage } from '../../src/oci/open-image.ts';
import { formatReference, type Reference } from '../../src/oci/reference.ts';
import type { ModuleInspection } from '../../src/sign/inspect-module.ts';
import type { Boundary } from '../../src/verify/image/boundary.ts';
import type { ImageChanges, PathChange } from '../../src/verify/image/changes.ts';
import { moduleData } from './module-text.ts';
import { formatSize } from './sizes.ts';
import { formatFields } from './table.ts';
import { treeText } from './tree-text.ts';

/** A module that a layer holds. */
export interface InspectedModule {
  readonly path: string;
  /** Undefined for a file that is no module, with what is wrong with it. */
  readonly inspection: ModuleInspection | undefined;
  readonly problem: string | undefined;
}

/** An image, and what its layers do to the base that they stand on. */
export interface InspectedImage {
  /** By digest. */
  readonly reference: Reference;
  readonly image: OpenedImage;
  /** Undefined when nothing says where the base ends. */
  readonly changes: ImageChanges | undefined;
  /** In the order of their paths. */
  readonly modules: readonly InspectedModule[];
}

/** Labels that say what an image is and what it was made from. */
export const KMODLAYER_LABEL = 'io.kmodlayer.';

/** An image as programs see it. */
export function imageData({
  reference,
  image,
  changes,
  modules,
}: InspectedImage): Readonly<Record<string, unknown>> {
  const { manifest, config } = image;
  return {
    reference: formatReference(reference),
    digest: manifest.digest,
    mediaType: image.raw.mediaType,
    architecture: config.architecture,
    os: config.os,
    labels: config.labels,
    layers: manifest.layers.map(({ digest, mediaType, sizeBytes }) => ({ digest, mediaType, sizeBytes })),
    added:
      changes === undefined || changes.tree.layers.length === 0
        ? null
        : {
            files: changes.changes
              .filter(({ type }) => type === 'file')
              .map(({ path, sizeBytes }) => ({ path, sizeBytes })),
            modules: modules.flatMap(({ path, inspection }) =>
              inspection === undefined ? [] : [moduleData(path, inspection)],
            ),
          },
    changes: changes === undefined ? null : changesData(changes),
  };
}

function changesData({ boundary, tree, changes, unread }: ImageChanges): Readonly<Record<string, unknown>> {
  return {
    baseLayers: boundary.baseLayers,
    foundBy: boundary.foundBy,
    layers: tree.layers.map(({ descriptor, createdBy, problem }) => ({
      digest: descriptor.digest,
      createdBy,
      problem: problem ?? null,
    })),
    entries: changes.map(
      ({ path, change, type, sizeBytes, previousBytes, target, isWholeDirectory, layer }) => ({
        path,
        change,
        type: type ?? null,
        sizeBytes,
        previousBytes: previousBytes ?? null,
        target: target ?? null,
        isWholeDirectory,
        layer,
      }),
    ),
    totals: Object.fromEntries(
      (['added', 'replaced', 'removed', 'unknown'] as const).map((change) => [
        change,
        totalOf(changes, change),
      ]),
    ),
    unreadBytes: unread.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

function totalOf(
  changes: readonly PathChange[],
  wanted: PathChange['change'],
): { readonly count: number; readonly sizeBytes: number } {
  const found = changes.filter(({ change }) => change === wanted);
  return { count: found.length, sizeBytes: found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** An image as people see it. */
export function imageText(inspected: InspectedImage): string {
  const { reference, image, changes } = inspected;
  const { manifest, config } = image;
  const size = manifest.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const ours = Object.entries(config.labels)
    .filter(([label]) => label.startsWith(KMODLAYER_LABEL))
    .map(([label, value]) => [label.slice(KMODLAYER_LABEL.length), value] as const);
  const head = formatFields([
    ['image', formatReference(reference)],
    ['architecture', config.architecture],
    [
      'layers',
      `${manifest.layers.length}, ${formatSize(size)}${changes === undefined ? '' : addedText(changes)}`,
    ],
    ...ours,
  ]);
  if (changes === undefined) {
    return `${head}\nNothing says where the base of the image ends: say it with --base IMAGE or --layers N to see what was added.\n`;
  }
  return changes.changes.length === 0 ? head : `${head}\n${changesText(changes, inspected.modules)}`;
}

const FOUND_BY: Readonly<Record<Exclude<Boundary['foundBy'], 'whole'>, string>> = {
  base: 'as --base says',
  count: 'as --layers says',
  history: 'as its history says',
  'final-diffid': 'as ostree.final-diffid says',
};

function addedText({ boundary, tree }: ImageChanges): string {
  const count = tree.layers.length;
  if (boundary.foundBy === 'whole') return '';
  if (count === 0) return ', none of them added';
  const size = tree.layers.reduce((sum, { descriptor }) => sum + descriptor.sizeBytes, 0);
  return `; ${count === 1 ? 'the last one was' : `the last ${count} were`} added (${formatSize(size)}), ${FOUND_BY[boundary.foundBy]}`;
}

const MARKS: Readonly<Record<PathChange['change'], string>> = {
  added: '+',
  replaced: '~',
  removed: '-',
  unknown: '?',
};

function changesText({ tree, changes, unread }: ImageChanges, modules: readonly InspectedModule[]): string {
  const byPath = new Map(changes.map((change) => [change.path, change]));
  const moduleOf = new Map(modules.map((module) => [module.path, module]));
  const drawn = treeText(
    changes.map((change) => ({
      path: change.path === '' ? '.' : change.path,
      mark: MARKS[change.change],
      columns: columnsOf(change, moduleOf.get(change.path)),
    })),
    (leaves) => formatSize(leaves.reduce((sum, { path }) => sum + (byPath.get(path)?.sizeBytes ?? 0), 0)),
  );
  const totals = (['added', 'replaced', 'removed', 'unknown'] as const).flatMap((change) => {
    const { count, sizeBytes } = totalOf(changes, change);
    if (count === 0) return [];
    const what = change === 'unknown' ? 'added or replaced' : change;
    return [`${MARKS[change]} ${count} ${what}${change === 'removed' ? '' : ` (${formatSize(sizeBytes)})`}`];
  });
  const problems = tree.layers.flatMap(({ descriptor, problem }) =>
    problem === undefined ? [] : [`${descriptor.digest}: ${problem}\n`],
  );
  return [drawn, `\n${totals.join('   ')}\n`, ...problems, ...unreadText(unread)].join('');
}

function columnsOf(change: PathChange, module: InspectedModule | undefined): readonly string[] {
  const { sizeBytes, previousBytes, target, type, isWholeDirectory } = change;
  if (change.change === 'removed') {
    const before = previousBytes === undefined ? '' : `was ${formatSize(previousBytes)}`;
    return ['', isWholeDirectory ? 'and all that the base has in it' : before];
  }
  const size = type === 'file' ? formatSize(sizeBytes) : '';
  const notes = [
    ...(previousBytes === undefined || previousBytes === sizeBytes
      ? []
      : [`was ${formatSize(previousBytes)}`]),
    ...(target === undefined ? [] : [`${type === 'hardlink' ? 'hard link to' : '->'} ${target}`]),
    ...(type === 'file' || type === 'symlink' || type === 'hardlink' || type === undefined ? [] : [type]),
    ...(module === undefined ? [] : [moduleNote(module)]),
  ];
  return [size, notes.join('; ')];
}

function moduleNote({ inspection, problem }: InspectedModule): string {
  if (inspection === undefined) return problem ?? 'no module';
  const { description, signature, signatureProblem } = inspection;
  const signer =
    signatureProblem !== undefined
      ? 'with a broken signature'
      : signature === undefined
        ? 'unsigned'
        : `signed by ${signature.signer ?? signature.key}`;
  return `${[description.name ?? '?', description.version].filter(Boolean).join(' ')}, ${signer}`;
}

function unreadText(unread: ImageChanges['unread']): readonly string[] {
  if (unread.length === 0) return [];
  const size = unread.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    `Which of the files marked ? replace one is known when ${unread.length} layers of the base were read, once: --read-base (${formatSize(size)}).\n`,
  ];
}
