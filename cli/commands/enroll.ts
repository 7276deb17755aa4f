import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addOutputFlag, addReportFlags, type OutputFlags } from '../flags.ts';
import type { ReportFlags } from '../report/event-text.ts';

/** Flags of `kmodlayer enroll`. */
export interface EnrollFlags extends OutputFlags, ReportFlags {
  readonly cert: string;
  readonly out: string;
  readonly kekKey?: string;
  readonly kekCert?: string;
  readonly owner: string;
  readonly time?: string;
  readonly nodeStateImage?: string;
}

/** Owner of entries when nobody else is named; firmware shows it, and does nothing with it. */
const OWNER = '5b1a6d2f-6f0e-4d0b-9c3e-2f8a7c41d9e6';

/** `kmodlayer enroll`: what makes machines trust a signing certificate. */
export function enrollCommand(context: CliContext): Command {
  const command = new Command('enroll')
    .description(
      'write what makes machines trust a signing certificate, and shows which do: mokutil, UEFI db, Redfish, pods',
    )
    .requiredOption('--cert <file>', 'the certificate that modules are signed with, PEM or DER')
    .requiredOption('--out <dir>', 'directory that receives the files')
    .option('--kek-key <file>', 'private key of the KEK of the firmware, to sign the update of db with')
    .option('--kek-cert <file>', 'its certificate')
    .option('--owner <guid>', 'who is said to have enrolled the certificate', OWNER)
    .option(
      '--time <time>',
      'time of the update, as 2026-11-20T12:00:00Z (default: $SOURCE_DATE_EPOCH, else now)',
    )
    .option(
      '--node-state-image <image>',
      'image with a shell and coreutils for the pods of node-state.yaml (default: "tools" of the cluster\'s release)',
    );
  return addReportFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      `
README.txt in the directory says what each file is for, and how to use it. --kek-key and --kek-cert add db-append.auth.
node-state.yaml runs a pod on each node of a cluster; it is ready when the node's kernel trusts the certificate.

Examples:
  kmodlayer enroll --cert signing.der --out enrolment
  kmodlayer enroll --cert signing.der --out enrolment --kek-key KEK.key --kek-cert KEK.pem`,
    )
    .action(async (flags: EnrollFlags) => {
      const { enroll } = await import('../enroll.ts');

      await enroll(flags, context);
    });
}
