import { SpecError } from '../../errors.ts';
import type { RegistryReference } from '../../oci/reference.ts';
import { type KernelRelease, parseKernelRelease } from '../../spec/kernel-release.ts';
import { type ModuleName, parseModuleName } from '../../spec/module-name.ts';
import { objectNameFrom, parseObjectName } from '../../spec/object-name.ts';
import { PARAMETER_NAME, PARAMETER_VALUE } from '../../spec/values.ts';
import { type ArgumentReader, makeArgumentReader, matching } from '../arguments.ts';
import { parseFirmwareDirectory } from '../firmware-path.ts';
import { parseAbsolutePath, parseNodePath } from '../ignition-file.ts';
import { parsePinnedImage, parseRegistryImage } from '../registry-image.ts';
import {
  ACTIVATIONS,
  type Day1Driver,
  type Day1Module,
  type Day1Options,
  type Day1Request,
  type Day1Softdep,
  type KmodImage,
  LOADER_NAMES,
} from './options.ts';

const COMMON = [
  ...['name', 'pool', 'loader', 'activation', 'proxy', 'pullTimeoutSeconds', 'loadTimeoutSeconds'],
  ...['authFile', 'firmwareDirectory', 'workerImage', 'remove'],
];
const IMAGE = ['image', 'firmware', 'directory'];
const MODULE = ['parameters', 'replaces'];

/**
 * Reads the options of a MachineConfig of Day 1. Callers may be untyped: anything may be in them.
 *
 * @throws {SpecError} `VALUE_INVALID` with every problem at once; the path of each is the name of the option, for instance
 *   `drivers[0].modules[1].name`.
 */
export function parseDay1Options(options: Day1Options): Day1Request {
  const read = makeArgumentReader('this MachineConfig');
  const isShort = !Object.hasOwn(Object(options) as object, 'drivers');
  const given = read.object('', options, [
    ...COMMON,
    ...(isShort ? ['module', ...IMAGE, ...MODULE] : ['drivers']),
  ]);
  const optional = <Value>(key: string, one: (path: string, value: unknown) => Value): Value | undefined =>
    given[key] === undefined ? undefined : one(key, given[key]);

  const name = read.text('name', given['name'], parseObjectName);
  const pool = read.text('pool', given['pool'], parseObjectName);
  const loader =
    given['loader'] === undefined ? 'host' : read.choice('loader', given['loader'], LOADER_NAMES);
  const isRemoval = optional('remove', (path, value) => read.boolean(path, value)) ?? false;
  if (isRemoval && loader !== 'host') {
    read.report(
      'remove',
      'Only what "host" loads can be removed this way',
      'Delete the MachineConfig instead.',
    );
  }
  const drivers = isShort
    ? [readShortDriver(read, given)].filter((driver) => driver !== undefined)
    : read.list('drivers', given['drivers'], (path, item) => readDriver(read, path, item));
  const activation = optional('activation', (path, value) => read.choice(path, value, ACTIVATIONS));
  const hasProxy = optional('proxy', (path, value) => read.boolean(path, value));
  const pullTimeoutSeconds = optional('pullTimeoutSeconds', (path, value) =>
    read.seconds(path, value, 86_400),
  );
  const loadTimeoutSeconds = optional('loadTimeoutSeconds', (path, value) =>
    read.seconds(path, value, 3_600),
  );
  const authFile = optional('authFile', (path, value) => read.text(path, value, parseAbsolutePath));
  const firmwareDirectory = optional('firmwareDirectory', (path, value) =>
    read.text(path, value, parseFirmwareDirectory),
  );
  const workerImage = optional('workerImage', (path, value) => read.text(path, value, parseWorkerImage));
  if (Array.isArray(given['drivers'])) checkDrivers(read, given['drivers'].length, drivers);
  read.finish();
  if (name === undefined || pool === undefined || loader === undefined) {
    throw new TypeError('A problem was found and not reported');
  }
  return {
    name,
    pool,
    loader,
    drivers,
    isRemoval,
    activation: activation ?? 'live',
    hasProxy: hasProxy ?? true,
    pullTimeoutSeconds: pullTimeoutSeconds ?? (loader === 'host' ? 300 : 900),
    loadTimeoutSeconds: loadTimeoutSeconds ?? 180,
    authFile: authFile ?? parseAbsolutePath('/var/lib/kubelet/config.json'),
    firmwareDirectory: firmwareDirectory ?? parseNodePath('/var/lib/firmware'),
    workerImage,
  };
}

/** The one driver of the short form; it is named after its module. */
function readShortDriver(
  read: ArgumentReader,
  given: Readonly<Record<string, unknown>>,
): Day1Driver | undefined {
  const module = readModule(read, '', { ...given, name: given['module'] }, 'module');
  const image = readImageOptions(read, '', given);
  if (module === undefined || image === undefined) return undefined;
  return { name: objectNameFrom(module.name), ...image, modules: [module], softdeps: [] };
}

function readDriver(read: ArgumentReader, path: string, value: unknown): Day1Driver | undefined {
  const given = read.object(path, value, ['name', 'modules', 'softdeps', ...IMAGE]);
  const name = read.text(`${path}.name`, given['name'], parseObjectName);
  const modules = read.list(`${path}.modules`, given['modules'], (at, item) =>
    readModule(read, `${at}.`, read.object(at, item, ['name', ...MODULE]), 'name'),
  );
  if (Array.isArray(given['modules']) && given['modules'].length === 0) {
    read.report(`${path}.modules`, 'There are no modules', 'Name at least one.');
  }
  const softdeps =
    given['softdeps'] === undefined
      ? []
      : read.list(`${path}.softdeps`, given['softdeps'], (at, item) => readSoftdep(read, at, item));
  const image = readImageOptions(read, `${path}.`, given);
  return name === undefined || image === undefined ? undefined : { name, ...image, modules, softdeps };
}

function readImageOptions(
  read: ArgumentReader,
  prefix: string,
  given: Readonly<Record<string, unknown>>,
): Pick<Day1Driver, 'image' | 'firmware' | 'directory'> | undefined {
  const optionalPath = (key: string) =>
    given[key] === undefined ? undefined : read.text(`${prefix}${key}`, given[key], parseAbsolutePath);
  const image = readImage(read, `${prefix}image`, given['image']);
  const firmware = optionalPath('firmware');
  const directory = optionalPath('directory') ?? parseAbsolutePath('/opt');
  return image === undefined ? undefined : { image, firmware, directory };
}

function readImage(read: ArgumentReader, path: string, value: unknown): KmodImage | undefined {
  if (typeof value !== 'object' || value === null) return read.text(path, value, parseKmodImage);
  const rows = read.mapping(path, value, (at, kernel, item) => {
    const kernelRelease = read.text(at, kernel, parseKernelRelease);
    const reference = read.text(at, item, parsePinnedImage);
    return kernelRelease === undefined || reference === undefined
      ? undefined
      : ([kernelRelease, reference] as const);
  });
  if (Object.keys(value).length === 0) read.report(path, 'There are no images', 'Give at least one.');
  return { type: 'by-kernel', references: new Map<KernelRelease, RegistryReference>(rows) };
}

/**
 * @param prefix Path of the object with a `.` behind it; empty for the arguments themselves.
 * @param nameKey What the name of the module is called there.
 */
function readModule(
  read: ArgumentReader,
  prefix: string,
  given: Readonly<Record<string, unknown>>,
  nameKey: 'name' | 'module',
): Day1Module | undefined {
  const name = read.text(`${prefix}${nameKey}`, given['name'], parseModuleName);
  const parameters =
    given['parameters'] === undefined
      ? []
      : read.mapping(`${prefix}parameters`, given['parameters'], (at, key, value) => {
          const parameter = read.text(at, key, (text) => matching(PARAMETER_NAME, text));
          const setting = read.text(at, value, (text) => matching(PARAMETER_VALUE, text));
          return parameter === undefined || setting === undefined
            ? undefined
            : ([parameter, setting] as const);
        });
  const replaces = readModuleNames(read, `${prefix}replaces`, given['replaces']);
  return name === undefined ? undefined : { name, parameters: Object.fromEntries(parameters), replaces };
}

function readSoftdep(read: ArgumentReader, path: string, value: unknown): Day1Softdep | undefined {
  const given = read.object(path, value, ['module', 'pre', 'post']);
  const module = read.text(`${path}.module`, given['module'], parseModuleName);
  const pre = readModuleNames(read, `${path}.pre`, given['pre']);
  const post = readModuleNames(read, `${path}.post`, given['post']);
  return module === undefined ? undefined : { module, pre, post };
}

/** Each once: two spellings of a name are one module. */
function readModuleNames(read: ArgumentReader, path: string, value: unknown): readonly ModuleName[] {
  if (value === undefined) return [];
  return [...new Set(read.list(path, value, (at, item) => read.text(at, item, parseModuleName)))];
}

function checkDrivers(read: ArgumentReader, count: number, drivers: readonly Day1Driver[]): void {
  if (count === 0) read.report('drivers', 'There are no drivers', 'Name at least one.');
  const names = drivers.map(({ name }) => name);
  const modules = drivers.flatMap((driver) => driver.modules.map(({ name }) => name));
  for (const name of duplicates(names)) {
    read.report('drivers', `Driver ${name} is there twice`, 'Give each driver a name of its own.');
  }
  for (const name of duplicates(modules)) {
    read.report('drivers', `Module ${name} is there twice`, 'A node has one module of a name.');
  }
  drivers.forEach((driver, index) => {
    const earlier = new Set(drivers.slice(0, index).flatMap((one) => one.modules.map(({ name }) => name)));
    for (const name of new Set(driver.modules.flatMap(({ replaces }) => replaces))) {
      if (!earlier.has(name)) continue;
      read.report(
        'drivers',
        `Driver ${driver.name} replaces module ${name}, which a driver before it has loaded`,
        'Leave it out of "replaces": the driver that has the module replaces that of the OS image.',
      );
    }
  });
  const known = new Set<string>(modules);
  for (const { module } of drivers.flatMap(({ softdeps }) => softdeps)) {
    if (!known.has(module)) {
      read.report('drivers', `No driver has module ${module} of "softdeps"`, 'Add it to "modules".');
    }
  }
}

function duplicates(texts: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const text of texts) (seen.has(text) ? twice : seen).add(text);
  return [...twice];
}

function parseWorkerImage(text: string): RegistryReference {
  const reference = parseRegistryImage(text);
  if (reference.digest !== undefined || reference.tag !== undefined) return reference;
  throw new SpecError('VALUE_INVALID', `Cannot use worker image ${text}: it has neither tag nor digest`, {
    hint: 'Add "@sha256:...": nodes run it as root.',
  });
}

/** What one text says about a kmod image. */
export function parseKmodImage(text: string): KmodImage {
  const reference = parseRegistryImage(text);
  return reference.tag === undefined && reference.digest === undefined
    ? { type: 'tag-by-kernel', repository: reference }
    : { type: 'one', reference };
}
