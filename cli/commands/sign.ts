import { Command, Option } from 'commander';
import type { SignatureHash } from '../../src/spec/driver-set.ts';
import type { CliContext } from '../context.ts';
import { addOutputFlag, addReportFlags, type OutputFlags } from '../flags.ts';
import type { ReportFlags } from '../report/event-text.ts';

/** Flags of `kmodlayer sign`. */
export interface SignFlags extends OutputFlags, ReportFlags {
  readonly key?: string;
  readonly cert?: string;
  readonly hash: SignatureHash;
  readonly passphraseEnv?: string;
  readonly passphraseFile?: string;
  readonly outputDir?: string;
  readonly inPlace?: boolean;
  readonly strip?: boolean;
  readonly check?: boolean;
}

/** `kmodlayer sign <file.ko>...`: signs modules again or for the first time, strips them, or checks them. */
export function signCommand(context: CliContext): Command {
  const command = new Command('sign')
    .description('sign modules as the kernel wants it, strip signatures, or check them')
    .argument(
      '<file...>',
      'modules; packed ones are unpacked, signed, and packed again only when they were gzip',
    )
    .option('--key <key>', 'private key: a PEM or DER file, also as file:PATH')
    .option('--cert <file>', 'its certificate, PEM or DER')
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
    .addOption(new Option('--output-dir <dir>', 'write the modules to this directory').conflicts('inPlace'))
    .option('--in-place', 'replace the files')
    .addOption(new Option('--strip', 'take signatures off; needs no key').conflicts(['key', 'check']))
    .addOption(
      new Option('--check', 'write nothing; end with 1 unless every module is signed for --cert').conflicts([
        'key',
        'outputDir',
        'inPlace',
      ]),
    );
  return addReportFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
Examples:
  kmodlayer sign --key signing.key --cert signing.der --output-dir signed ice.ko gnss.ko
  kmodlayer sign --check --cert signing.der signed/*.ko`,
    )
    .action(async (files: readonly string[], flags: SignFlags) => {
      const { checkFiles, signFiles } = await import('../sign-files.ts');

      await (flags.check === true ? checkFiles : signFiles)(files, flags, context);
    });
}
