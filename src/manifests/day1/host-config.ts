import { formatReference } from '../../oci/reference.ts';
import type { Day1Driver, Day1Request, KmodImage } from './options.ts';

/**
 * What the names of units and files of a driver start with; no two drivers of a node share it. After the last "-" stands
 * a driver without one; a driver with one follows an "_", which neither kind of name has: `99-a` with `b-c` is not `99-a-b`
 * with `c`.
 */
export function hostPrefix({ name }: Pick<Day1Request, 'name'>, driver: Pick<Day1Driver, 'name'>): string {
  return `${name}${driver.name.includes('-') ? '_' : '-'}${driver.name}`;
}

/**
 * What `machineconfigs/host/day1.sh` reads: a line for each fact, of words that tabs part.
 *
 * @param earlier Drivers that are loaded before this one, whose modules it may need.
 */
export function hostConfig(request: Day1Request, driver: Day1Driver, earlier: readonly Day1Driver[]): string {
  const { modules, softdeps } = driver;
  const inOrder = modules.flatMap(({ name }) => softdeps.filter(({ module }) => module === name));
  const rows = [
    ['name', hostPrefix(request, driver)],
    ['driver', driver.name],
    ...imageRows(driver.image),
    ['directory', driver.directory],
    ...(driver.firmware === undefined
      ? []
      : [
          ['firmware', driver.firmware],
          ['firmware-directory', request.firmwareDirectory],
        ]),
    ['activation', request.activation],
    ['auth-file', request.authFile],
    ['pull-timeout', String(request.pullTimeoutSeconds)],
    ...earlier.map((one) => ['follows', hostPrefix(request, one)]),
    ...onceEach(modules.flatMap(({ replaces }) => replaces)).map((module) => ['replaces', module]),
    ...onceEach(inOrder.flatMap(({ pre }) => pre)).map((module) => ['before', module]),
    ...modules.map(({ name }) => ['module', name]),
    ...modules.flatMap(({ name, parameters }) =>
      Object.entries(parameters).map(([key, value]) => ['parameter', name, `${key}=${value}`]),
    ),
    ...onceEach(inOrder.flatMap(({ post }) => post)).map((module) => ['after', module]),
  ];
  return rows.map((row) => `${row.map(checkedWord).join('\t')}\n`).join('');
}

/** `*` stands for every kernel; a repository alone gets the tag that is the kernel's. */
function imageRows(image: KmodImage): readonly (readonly string[])[] {
  switch (image.type) {
    case 'tag-by-kernel':
      return [['image', '*', formatReference(image.repository)]];
    case 'one':
      return [['image', '*', formatReference(image.reference)]];
    case 'by-kernel':
      return [...image.references].map(([kernel, reference]) => [
        'image',
        kernel,
        formatReference(reference),
      ]);
  }
}

function onceEach(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}

/** Options were checked when they were read; a word that would break a line is a mistake of ours. */
function checkedWord(word: string): string {
  if (/^[\x20-\x7e]+$/.test(word)) return word;
  throw new TypeError(`A line cannot hold ${JSON.stringify(word)}`);
}
