import { parseObjectName } from '../spec/object-name.ts';
import { SpecError } from '../errors.ts';
import { type ArgumentReader, makeArgumentReader, required } from './arguments.ts';
import { type IgnitionFile, makeIgnitionFile, parseNodePath } from './ignition-file.ts';
import { type MachineConfig, makeMachineConfig } from './machine-config.ts';
import { parseUnitName, type SystemdUnit } from './systemd-unit.ts';

/** How `makeIgnitionFile` writes contents. */
const DATA_URL = /^data:text\/plain;base64,((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/;

const MAX_DATA_URL = 2_000_000;

/**
 * Reads a MachineConfig that this library made, as an object or parsed from what it printed. Of MachineConfigs that others
 * wrote, `lint` tells more.
 *
 * @throws {SpecError} `VALUE_INVALID` with everything that is not as ours are.
 */
export function parseMachineConfig(value: unknown): MachineConfig {
  const read = makeArgumentReader('use of this MachineConfig');
  const given = read.object('', value, ['apiVersion', 'kind', 'metadata', 'spec']);
  read.choice('apiVersion', given['apiVersion'], ['machineconfiguration.openshift.io/v1']);
  read.choice('kind', given['kind'], ['MachineConfig']);
  const metadata = read.object('metadata', given['metadata'], ['name', 'labels']);
  const role = 'machineconfiguration.openshift.io/role';
  const labels = read.object('metadata.labels', metadata['labels'], [role]);
  const name = read.text('metadata.name', metadata['name'], parseObjectName);
  const pool = read.text(`metadata.labels["${role}"]`, labels[role], parseObjectName);
  const spec = read.object('spec', given['spec'], ['config', 'kernelArguments']);
  const config = read.object('spec.config', spec['config'], ['ignition', 'storage', 'systemd']);
  const ignition = read.object('spec.config.ignition', config['ignition'], ['version']);
  read.choice('spec.config.ignition.version', ignition['version'], ['3.2.0']);
  const files = readItems(read, 'spec.config.storage', config['storage'], 'files', readFile);
  const units = readItems(read, 'spec.config.systemd', config['systemd'], 'units', readUnit);
  const kernelArguments =
    spec['kernelArguments'] === undefined
      ? []
      : read.list('spec.kernelArguments', spec['kernelArguments'], (at, item) =>
          read.text(at, item, (text) => text),
        );
  read.finish();
  return makeMachineConfig({ name: required(name), pool: required(pool), files, units, kernelArguments });
}

type ReadItem<Item> = (read: ArgumentReader, path: string, value: unknown) => Item | undefined;

function readItems<Item>(
  read: ArgumentReader,
  path: string,
  value: unknown,
  key: 'files' | 'units',
  readItem: ReadItem<Item>,
): readonly Item[] {
  if (value === undefined) return [];
  const given = read.object(path, value, [key]);
  return read.list(`${path}.${key}`, given[key], (at, item) => readItem(read, at, item));
}

function readFile(read: ArgumentReader, at: string, value: unknown): IgnitionFile | undefined {
  const given = read.object(at, value, ['path', 'mode', 'overwrite', 'user', 'contents']);
  const user = read.object(`${at}.user`, given['user'], ['name']);
  const source = read.object(`${at}.contents`, given['contents'], ['source']);
  const path = read.text(`${at}.path`, given['path'], parseNodePath);
  const { mode } = given;
  const isMode = typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777;
  if (!isMode) read.report(`${at}.mode`, 'The mode must be a number up to 511', 'Write 420 for 0644.');
  if (given['overwrite'] !== true) read.report(`${at}.overwrite`, 'It must be true', 'Write true.');
  read.choice(`${at}.user.name`, user['name'], ['root']);
  const contents = read.text(`${at}.contents.source`, source['source'], parseDataUrl);
  return path === undefined || contents === undefined || !isMode
    ? undefined
    : makeIgnitionFile({ path, mode, contents });
}

function readUnit(read: ArgumentReader, at: string, value: unknown): SystemdUnit | undefined {
  const given = read.object(at, value, ['name', 'enabled', 'mask', 'contents']);
  const name = read.text(`${at}.name`, given['name'], parseUnitName);
  const flag = (key: 'enabled' | 'mask'): boolean | undefined =>
    given[key] === undefined ? undefined : read.boolean(`${at}.${key}`, given[key]);
  const enabled = flag('enabled');
  const mask = flag('mask');
  const contents =
    given['contents'] === undefined
      ? undefined
      : read.text(`${at}.contents`, given['contents'], (text) => text);
  if (name === undefined) return undefined;
  return {
    name,
    ...(enabled === undefined ? {} : { enabled }),
    ...(mask === undefined ? {} : { mask }),
    ...(contents === undefined ? {} : { contents }),
  };
}

function parseDataUrl(text: string): Buffer {
  const base64 = text.length > MAX_DATA_URL ? undefined : DATA_URL.exec(text)?.[1];
  if (base64 !== undefined) return Buffer.from(base64, 'base64');
  throw new SpecError('VALUE_INVALID', `Cannot use contents ${JSON.stringify(text.slice(0, 100))}`, {
    hint: 'Write data:text/plain;base64, and the contents behind it.',
  });
}
