import { SpecError } from '../errors.ts';
import { makeArgumentReader, required } from './arguments.ts';
import type { IgnitionFile } from './ignition-file.ts';
import type { MachineConfig } from './machine-config.ts';
import { parseMachineConfig } from './read-machine-config.ts';
import type { SystemdUnit } from './systemd-unit.ts';

export interface ButaneOptions {
  /** A MachineConfig of ours: `makeDay1MachineConfig`. */
  readonly machineConfig: MachineConfig;
  /** OpenShift release it is for, for instance `4.18` or `4.18.4`; its version of Butane's language is taken. */
  readonly release: string;
}

/** A source of Butane for OpenShift. */
export interface ButaneConfig {
  readonly variant: 'openshift';
  readonly version: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly openshift?: { readonly kernel_arguments: readonly string[] };
  readonly storage?: { readonly files: readonly ButaneFile[] };
  readonly systemd?: { readonly units: readonly SystemdUnit[] };
}

interface ButaneFile extends Omit<IgnitionFile, 'contents'> {
  /** Text as it is, or a data URL of what is none. */
  readonly contents: { readonly inline: string } | { readonly source: string };
}

/** Minor versions of 4 with a stable version of the language. */
const FIRST_MINOR = 8;
const LAST_MINOR = 22;

/**
 * A MachineConfig as source of Butane, for those who keep their MachineConfigs so. `butane` makes the same files, units and
 * kernel arguments of it, in the Ignition of the release.
 *
 * @throws {SpecError} `VALUE_INVALID` with every argument that cannot be used; the path of a problem is its name.
 * @see https://coreos.github.io/butane/specs/
 */
export function makeButane(options: ButaneOptions): ButaneConfig {
  const read = makeArgumentReader('this source of Butane');
  const given = read.object('', options, ['machineConfig', 'release']);
  const machineConfig = read.nested('machineConfig', given['machineConfig'], parseMachineConfig);
  const version = read.text('release', given['release'], parseButaneVersion);
  read.finish();
  const { metadata, spec } = required(machineConfig);
  const { storage, systemd } = spec.config;
  return {
    variant: 'openshift',
    version: required(version),
    metadata,
    ...(spec.kernelArguments === undefined ? {} : { openshift: { kernel_arguments: spec.kernelArguments } }),
    ...(storage === undefined ? {} : { storage: { files: storage.files.map(butaneFile) } }),
    ...(systemd === undefined ? {} : { systemd }),
  };
}

function butaneFile({ contents, ...file }: IgnitionFile): ButaneFile {
  const { source } = contents;
  const bytes = Buffer.from(source.slice(source.indexOf(',') + 1), 'base64');
  const text = bytes.toString('utf8');
  const isText = Buffer.from(text).equals(bytes) && !/[^\t\n\x20-\x7e]/.test(text);
  return { ...file, contents: isText ? { inline: text } : { source } };
}

function parseButaneVersion(text: string): string {
  const [, minor = ''] = /^4\.(\d{1,2})(?:\.\d{1,4}(?:-[0-9A-Za-z.-]{1,100})?)?$/.exec(text) ?? [];
  if (minor !== '' && Number(minor) >= FIRST_MINOR && Number(minor) <= LAST_MINOR)
    return `4.${Number(minor)}.0`;
  throw new SpecError(
    'VALUE_INVALID',
    `Cannot write Butane for release ${JSON.stringify(text.slice(0, 100))}`,
    {
      hint: `Name a release from 4.${FIRST_MINOR} to 4.${LAST_MINOR}.`,
    },
  );
}
