import { type Command, InvalidArgumentError, Option } from 'commander';
import { KmodError } from '../src/errors.ts';
import { parseArch } from '../src/oci/arch.ts';
import type { OutputFormat, ReportFormat } from './report/output.ts';
import type { ReportFlags } from './report/event-text.ts';

/** Flags of commands that open images. */
export interface ImageFlags extends ReportFlags {
  readonly authfile?: string;
  readonly caFile?: readonly string[];
  readonly certDir?: readonly string[];
  readonly insecureRegistry?: readonly string[];
  readonly idms?: readonly string[];
  readonly itms?: readonly string[];
  readonly icsp?: readonly string[];
  readonly registriesConf?: string;
}

export interface OutputFlags {
  readonly output: OutputFormat;
}

/** Flags of verbs whose result others keep: reports. */
export interface ReportOutputFlags {
  readonly output: ReportFormat;
  readonly outputFile?: string;
}

/** `--quiet` and `--verbose`: every command that takes time has them. */
export function addReportFlags(command: Command): Command {
  return command
    .option('-q, --quiet', 'print warnings and errors only')
    .option('-v, --verbose', 'print everything, and stacks of errors');
}

/** How registries are reached, and `addReportFlags`. */
export function addImageFlags(command: Command): Command {
  command
    .option(
      '--authfile <file>',
      'credentials as podman keeps them, or a Red Hat pull secret, instead of the files of podman and docker',
    )
    .addOption(repeatable('--ca-file <file>', 'also trust the CAs in this PEM file; may be repeated'))
    .addOption(
      repeatable('--cert-dir <dir>', 'use *.crt, *.cert and *.key of this directory; may be repeated'),
    )
    .addOption(
      repeatable(
        '--insecure-registry <host>',
        'reach this registry without TLS, or with a certificate that nobody vouches for; may be repeated',
      ),
    )
    .addOption(
      repeatable('--idms <file>', 'read through the mirrors of an ImageDigestMirrorSet; may be repeated'),
    )
    .addOption(
      repeatable('--itms <file>', 'read through the mirrors of an ImageTagMirrorSet; may be repeated'),
    )
    .addOption(
      repeatable('--icsp <file>', 'read through the mirrors of an ImageContentSourcePolicy; may be repeated'),
    )
    .option('--registries-conf <file>', 'mirrors as podman knows them, instead of those of the machine');
  return addReportFlags(command);
}

/** Flags of commands that resolve releases. */
export interface ReleaseTrustFlags {
  readonly verifyRelease?: 'auto' | 'require' | 'off';
  readonly releaseKeys?: readonly string[];
  readonly releaseSignatures?: readonly string[];
}

/** Whether releases must be signed, by whom, and where their signatures are. */
export function addReleaseTrustFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--verify-release <when>',
        'verify the signature of releases: auto (official ones, where a store of signatures can be reached), require, or off',
      )
        .choices(['auto', 'require', 'off'])
        .default('auto'),
    )
    .addOption(
      repeatable(
        '--release-keys <file>',
        'trust these keys instead of those of Red Hat and OKD: a keyring, or the ConfigMap of a payload; may be repeated, one of them must have signed',
      ),
    )
    .addOption(
      repeatable(
        '--release-signatures <place>',
        'signatures of releases: ConfigMaps in a file, a directory or the URL of a store; may be repeated',
      ),
    );
}

const FORMATS: readonly OutputFormat[] = ['table', 'json', 'yaml'];

/** `-o`, with `table` for people as default. */
export function addOutputFlag(command: Command, formats: readonly ReportFormat[] = FORMATS): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print the result').choices(formats).default('table'),
  );
}

/** `-o` with the forms that reports have beside those of `addOutputFlag`, and `--output-file`. */
export function addReportOutputFlags(command: Command, formats: readonly ('sarif' | 'html')[]): Command {
  return addOutputFlag(command, [...FORMATS, ...formats]).option(
    '--output-file <file>',
    'write the result to this file instead of stdout',
  );
}

/** Flags of commands that prove something. */
export interface ProofFlags {
  readonly report?: readonly string[];
}

/** `--report`, for people and programs that get the proof beside the result. */
export function addProofFlag(command: Command): Command {
  return command.addOption(
    new Option(
      '--report <file>',
      'also write the proof to this file: .html to look at, .sarif for code scanning, or .json; may be repeated',
    ).argParser((file: string, before: readonly string[] | undefined) => {
      if (!/\.(?:html|sarif|json)$/i.test(file)) {
        throw new InvalidArgumentError('Give a name that ends in .html, .sarif or .json.');
      }
      return [...(before ?? []), file];
    }),
  );
}

/** `--arch`, for images that have several. */
export function addArchFlag(command: Command): Command {
  return command.addOption(
    new Option('--arch <arch>', 'the architecture to choose in a multi-architecture image').argParser(
      valueOf(parseArch),
    ),
  );
}

/** Where the base of an image ends, for images that do not say so themselves. */
export function addBoundaryFlags(command: Command, base: string): Command {
  return command
    .option('--base <image>', base)
    .addOption(
      new Option(
        '--layers <count>',
        'how many layers were added on top of the base, when an image does not say it',
      )
        .argParser(parseCount)
        .conflicts('base'),
    );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d{1,4}$/.test(text) && count > 0) return count;
  throw new InvalidArgumentError('Write a number from 1 on.');
}

/**
 * An option that may come again, with a list of texts as its value.
 *
 * @param choices The only texts that it takes; any when absent.
 */
export function repeatable(flags: string, description: string, choices?: readonly string[]): Option {
  const option =
    choices === undefined ? new Option(flags, description) : new Option(flags, description).choices(choices);
  return option.argParser((value: string, before: readonly string[] | undefined) => {
    if (choices?.includes(value) === false) {
      throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
    }
    return [...(before ?? []), value];
  });
}

/** `--lock-file` and `--no-lock`, for commands that go by a lock file when there is one. */
export function addLockFlags(command: Command): Command {
  return command
    .option(
      '--lock-file <file>',
      'the lock file to go by (default: the one beside the spec, when there is one)',
    )
    .option('--no-lock', 'look up releases and sources, also when there is a lock file');
}

/** `--reuse-modules`: what `reuse.withoutCompiling` of a spec says. */
export function reuseOption(): Option {
  return new Option(
    '--reuse-modules',
    'take modules that were published for another kernel when they are proven to load on the new one, also when the spec does not say so',
  );
}

/** `--graph`: where ranges of releases are looked up. */
export function graphOption(): Option {
  return new Option(
    '--graph <url>',
    'where ranges are looked up: an update service, or a file with an answer of one (default: api.openshift.com)',
  );
}

/** Makes commander report a value that cannot be parsed, with its hint. */
export function valueOf<Value>(parse: (text: string) => Value): (text: string) => Value {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof KmodError)) throw error;
      throw new InvalidArgumentError(`${error.message}. ${error.hint ?? ''}`.trim());
    }
  };
}
