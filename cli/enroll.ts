import { resolve } from 'node:path';
import { makeEnrolment } from '../src/manifests/enrolment.ts';
import { formatReference, parseReference } from '../src/oci/reference.ts';
import { parseCertificate } from '../src/sign/certificate.ts';
import { certificateWarnings } from '../src/sign/certificate-warnings.ts';
import { parseEfiGuid } from '../src/sign/efi-signature-list.ts';
import { makeKeyFileSigner } from '../src/sign/key-file.ts';
import type { Signer } from '../src/sign/signer.ts';
import type { EnrollFlags } from './commands/enroll.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { makeReport } from './report/event-text.ts';
import { printResult } from './report/output.ts';
import { formatTable } from './report/table.ts';
import { usage } from './signing-flags.ts';

/**
 * Writes the hand-out for the owners of machines.
 *
 * @throws {SpecError} `USAGE`; {SignError}.
 */
export async function enroll(flags: EnrollFlags, context: CliContext): Promise<void> {
  const certificate = parseCertificate(await readInput(makeFiles(context.cwd), flags.cert));
  const report = makeReport(context, flags);
  for (const { message, hint } of certificateWarnings(certificate, new Date())) {
    report({ type: 'warning', message, hint });
  }
  const files = await makeEnrolment({
    certificate,
    owner: parseEfiGuid(flags.owner),
    kek: await openKek(flags, context),
    time: timeOf(flags, context),
    nodeStateImage: flags.nodeStateImage === undefined ? undefined : imageOf(flags.nodeStateImage),
  });
  for (const { name, bytes } of files) await writeOutput(resolve(context.cwd, flags.out, name), bytes);
  await printResult(context, flags.output, {
    verb: 'enroll',
    data: { directory: flags.out, files: files.map(({ name }) => name) },
    text: () =>
      formatTable(
        ['FILE', 'SIZE'],
        files.map(({ name, bytes }) => [`${flags.out}/${name}`, `${bytes.length} bytes`]),
      ),
  });
}

async function openKek({ kekKey, kekCert }: EnrollFlags, { cwd }: CliContext): Promise<Signer | undefined> {
  if (kekKey === undefined && kekCert === undefined) return undefined;
  if (kekKey === undefined || kekCert === undefined) {
    throw usage('Cannot sign the update of db: half of the KEK is missing', 'Give --kek-key and --kek-cert.');
  }
  const files = makeFiles(cwd);
  return makeKeyFileSigner({
    key: await readInput(files, kekKey),
    certificate: await readInput(files, kekCert),
  });
}

function imageOf(name: string): string {
  const reference = parseReference(name);
  if (reference.transport === 'docker') return formatReference(reference);
  throw usage(`Cannot run ${name} on nodes: they pull from registries only`, 'Name an image of a registry.');
}

function timeOf({ time }: EnrollFlags, { env }: CliContext): Date {
  if (time !== undefined) {
    const at = new Date(time);
    if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(time) && !Number.isNaN(at.getTime())) return at;
    throw usage(`Cannot use time ${JSON.stringify(time.slice(0, 100))}`, 'Write it as 2026-11-20T12:00:00Z.');
  }
  const epoch = Number(env['SOURCE_DATE_EPOCH']);
  return Number.isSafeInteger(epoch) && epoch > 0 ? new Date(epoch * 1000) : new Date();
}
