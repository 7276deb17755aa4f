import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import type { Io } from '../src/io.ts';
import { formatReference } from '../src/oci/reference.ts';
import { type Certificate, parseCertificate } from '../src/sign/certificate.ts';
import type { TargetReport, VerifyReport } from '../src/verify/report.ts';
import { archOf } from '../src/verify/image-report.ts';
import { verifyImage } from '../src/verify/verify-image.ts';
import type { VerifyFlags } from './commands/verify.ts';
import { type CliContext, hasColour } from './context.ts';
import { CheckFailed } from './exit-codes.ts';
import { readInput } from './io/read-input.ts';
import { makeIo } from './make-io.ts';
import { openNamedImage } from './open-named-image.ts';
import { printResult } from './report/output.ts';
import { proofHtml, proofSarif, writeProofFiles } from './report/proof-files.ts';
import { makeStyle } from './report/style.ts';
import { verifyText } from './report/verify-text.ts';
import { type BootSettings, bootTarget, readBootFlags, requireBoot } from './verify-boot.ts';
import { verifyOnDirectory } from './verify-directory.ts';
import { verifyFilesOnImage } from './verify-files.ts';

/**
 * Verifies images, or modules against a base, and prints the report.
 *
 * @throws {SpecError} `USAGE`; {CheckFailed} when something does not pass; as opening and reading images does.
 */
export async function verifyTargets(
  names: readonly string[],
  flags: VerifyFlags,
  context: CliContext,
): Promise<void> {
  const modules = names.filter(isModuleFile);
  if (modules.length > 0 && modules.length < names.length) {
    throw new SpecError('USAGE', 'Cannot verify images and modules in one command', {
      hint: 'Run it once for the images, and once for the modules with --base.',
    });
  }
  const io = await makeIo(context, flags);
  const certificates = await readCertificates(flags, io);
  const boot = readBootFlags(flags, { certificates, context });
  const given = { io, context, certificates, boot };
  const targets =
    modules.length > 0 || names.length === 0
      ? [await verifyFiles(modules, flags, given)]
      : await verifyImages(names, flags, given);
  const report: VerifyReport = {
    verdict: targets.every(({ verdict }) => verdict === 'passes') ? 'passes' : 'fails',
    targets,
  };

  const proof = { verb: 'verify', at: io.now() } as const;
  await printResult(
    context,
    flags.output,
    {
      verb: 'verify',
      data: { ...report },
      text: () =>
        verifyText(report, {
          style: makeStyle(flags.outputFile === undefined && hasColour(context, context.stdout)),
          isVerbose: flags.verbose === true,
        }),
      sarif: () => proofSarif(report, proof),
      html: () => proofHtml(report, proof),
    },
    flags.outputFile,
  );
  await writeProofFiles(flags.report ?? [], report, { ...proof, context });
  if (report.verdict === 'fails') throw new CheckFailed();
}

function isModuleFile(name: string): boolean {
  return !/^(?:oci|oci-archive|docker):/.test(name) && /\.ko(?:\.(?:gz|xz|zst))?$/.test(name);
}

/** Undefined without `--cert`: modules then need no signature. */
async function readCertificates(
  { cert = [] }: VerifyFlags,
  { files }: Pick<Io, 'files'>,
): Promise<readonly Certificate[] | undefined> {
  if (cert.length === 0) return undefined;
  return Promise.all(cert.map(async (file) => parseCertificate(await readInput(files, file))));
}

interface Given {
  readonly io: Io;
  readonly context: CliContext;
  readonly certificates: readonly Certificate[] | undefined;
  /** How to boot what was proven; undefined when that is not asked for. */
  readonly boot: BootSettings | undefined;
}

/** One after the other: what is learnt of a base serves the next image. */
async function verifyImages(
  names: readonly string[],
  { arch, kernel, layers, ...flags }: VerifyFlags,
  { io, context, certificates, boot }: Given,
): Promise<readonly TargetReport[]> {
  if (flags.base !== undefined && (await isDirectory(resolve(context.cwd, flags.base)))) {
    throw new SpecError('USAGE', `Cannot verify ${names.join(', ')} against the directory ${flags.base}`, {
      hint: 'Files of modules end in .ko, .ko.gz, .ko.xz or .ko.zst; images have images as their base.',
    });
  }
  const base = flags.base === undefined ? undefined : (await openNamedImage(flags.base, arch, io)).image;
  const targets: TargetReport[] = [];
  for (const name of names) {
    const { reference, image } = await openNamedImage(name, arch, io);
    const subject = formatReference(reference);
    await requireBoot(boot, archOf(image), io);
    const proven = await verifyImage({ subject, image, base, layers, kernel, certificates }, io);
    targets.push(await bootTarget(proven, boot, io));
  }
  return targets;
}

async function verifyFiles(
  names: readonly string[],
  { base, kernel, arch }: VerifyFlags,
  { io, context, certificates, boot }: Given,
): Promise<TargetReport> {
  if (base === undefined) {
    const what = names.length === 0 ? 'nothing' : 'modules without the kernel that shall load them';
    throw new SpecError('USAGE', `Cannot verify ${what}`, {
      hint: 'Name an OS image, or a directory with its modules: --base IMAGE or --base DIR.',
    });
  }
  const files = names.map((name) => ({ name, read: () => readInput(io.files, name) }));
  const directory = resolve(context.cwd, base);
  if (!(await isDirectory(directory))) {
    if (names.length === 0) {
      throw new SpecError('USAGE', `Cannot verify all modules of ${base}: it is not a directory`, {
        hint: 'Name modules or images, or with --base a directory of which all modules are verified.',
      });
    }
    const named = await openNamedImage(base, arch, io);
    await requireBoot(boot, archOf(named.image), io);
    return bootTarget(await verifyFilesOnImage(files, { ...named, kernel, certificates }, io), boot, io);
  }
  if (kernel === undefined) {
    throw new SpecError('USAGE', `Cannot tell for which kernel of ${base} the modules are`, {
      hint: 'Say it as uname -r prints it: --kernel RELEASE.',
    });
  }
  const target = { subject: base, directory, kernel, arch, certificates, cwd: context.cwd };
  return bootTarget(await verifyOnDirectory(names.length === 0 ? undefined : files, target, io), boot, io);
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
