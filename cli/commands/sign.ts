import { Command, InvalidArgumentError, Option } from 'commander';
import type { SignatureHash } from '../../src/spec/driver-set.ts';
import type { CliContext } from '../context.ts';
import { addOutputFlag, addReportFlags, repeatable, type OutputFlags } from '../flags.ts';
import type { ReportFlags } from '../report/event-text.ts';

/** Flags of `kmodlayer sign`. */
export interface SignFlags extends OutputFlags, ReportFlags {
  readonly file?: string;
  readonly key?: string;
  readonly cert?: readonly string[];
  readonly hash: SignatureHash;
  readonly passphraseEnv?: string;
  readonly passphraseFile?: string;
  readonly pkcs11Library?: string;
  readonly pinEnv?: string;
  readonly pinFile?: string;
  readonly command?: string;
  readonly commandArg?: readonly string[];
  readonly commandInput: 'digest' | 'file';
  /** In seconds. */
  readonly commandTimeout: number;
  readonly outputDir?: string;
  readonly inPlace?: boolean;
  readonly strip?: boolean;
  readonly force?: boolean;
  readonly check?: boolean;
}

/** `kmodlayer sign <file.ko>...`: signs modules again or for the first time, strips them, or checks them. */
export function signCommand(context: CliContext): Command {
  const command = new Command('sign')
    .description('sign modules as the kernel wants it, strip signatures, or check them')
    .argument(
      '<file...>',
      'modules; packed ones stay packed: those of gzip and zstd as before, those of xz without compression',
    )
    .addOption(
      new Option('-f, --file <file>', 'sign as this spec says: the form for two signers').conflicts([
        'key',
        'command',
        'cert',
      ]),
    )
    .addOption(
      new Option(
        '--key <key>',
        'private key: a PEM or DER file, also as file:PATH, or pkcs11:token=...;object=...',
      ).conflicts('command'),
    )
    .addOption(repeatable('--cert <file>', 'its certificate, PEM or DER; may be repeated with --check'))
    .addOption(
      new Option('--hash <hash>', 'hash to sign with: that of the modules of the kernel')
        .choices(['sha256', 'sha384', 'sha512'])
        .default('sha256'),
    )
    .addOption(
      new Option(
        '--passphrase-env <variable>',
        'environment variable with the passphrase of the key',
      ).conflicts('passphraseFile'),
    )
    .option('--passphrase-file <file>', 'file whose first line is the passphrase of the key')
    .option(
      '--pkcs11-library <file>',
      'PKCS#11 library of the token (default: module-path of the URI, else $PKCS11_MODULE_PATH)',
    )
    .addOption(
      new Option('--pin-env <variable>', 'environment variable with the PIN of the token').conflicts(
        'pinFile',
      ),
    )
    .option('--pin-file <file>', 'file whose first line is the PIN of the token')
    .option('--command <program>', 'program that signs, run without a shell (below)')
    .addOption(repeatable('--command-arg <argument>', 'an argument of the program; may be repeated'))
    .addOption(
      new Option('--command-input <what>', 'what the program gets: the digest, or the module')
        .choices(['digest', 'file'])
        .default('digest'),
    )
    .addOption(
      new Option('--command-timeout <seconds>', 'how long the program may take for one module')
        .argParser(parseSeconds)
        .default(60),
    )
    .addOption(new Option('--output-dir <dir>', 'write the modules to this directory').conflicts('inPlace'))
    .option('--in-place', 'replace the files')
    .addOption(
      new Option('--strip', 'take signatures off; needs no key').conflicts([
        'key',
        'command',
        'file',
        'check',
      ]),
    )
    .option('--force', 'with --strip: cut what is malformed off where the module ends')
    .addOption(
      new Option('--check', 'write nothing; end with 1 unless every module is signed for a --cert').conflicts(
        ['key', 'command', 'outputDir', 'inPlace'],
      ),
    );
  return addReportFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
A program that signs finds on its standard input the digest (or the module, with "--command-input file"), and in its
environment:
  KMODLAYER_HASH          sha256, sha384 or sha512
  KMODLAYER_DIGEST        the digest in hex; with "file", KMODLAYER_FILE is the path of the module
  KMODLAYER_MODULE        name of the module
  KMODLAYER_CERTIFICATE   path of the certificate, PEM
It prints the signature to standard output: the bare value (PKCS#1 v1.5, or ECDSA), or a detached CMS message without
signed attributes in DER or PEM. What it prints to standard error is shown. Any exit code but 0 is a failure.
docs/signers.md has examples for openssl, cloud services and signing clients.

Examples:
  kmodlayer sign --key signing.key --cert signing.der --output-dir signed ice.ko gnss.ko
  kmodlayer sign --key "pkcs11:token=signing;object=modules" --pin-env PIN --cert signing.der --in-place ice.ko
  kmodlayer sign --command ./kms-sign.sh --command-arg=--key=modules --cert signing.der --in-place ice.ko
  kmodlayer sign --check --cert signing.der signed/*.ko`,
    )
    .action(async (files: readonly string[], flags: SignFlags) => {
      if (flags.check === true) {
        const { checkFiles } = await import('../check-files.ts');
        await checkFiles(files, flags, context);
        return;
      }
      const { signFiles } = await import('../sign-files.ts');
      await signFiles(files, flags, context);
    });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError('Give a number from 1 to 3600.');
}
