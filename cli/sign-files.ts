import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  decompressModule,
  detectCompression,
  gzipModule,
  type ModuleCompression,
} from '../src/kmod/compression.ts';
import { type Certificate, parseCertificate } from '../src/sign/certificate.ts';
import { describeSignature } from '../src/sign/describe-signature.ts';
import { hasSignature, stripSignature } from '../src/sign/module-signature.ts';
import type { OpenedSigner } from '../src/sign/open-signers.ts';
import { signModuleByAll } from '../src/sign/sign.ts';
import { verifyModuleSignature } from '../src/sign/verify-signature.ts';
import { moduleNameOfPath } from '../src/spec/module-name.ts';
import type { SignFlags } from './commands/sign.ts';
import type { CliContext } from './context.ts';
import { CheckFailed } from './exit-codes.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { printResult } from './report/output.ts';
import { signatureData, signerText } from './report/signature-text.ts';
import { formatTable } from './report/table.ts';
import { certificateFiles, openFlagSigners, usage } from './signing-flags.ts';

/** A module that is ready to be written. */
interface SignedFile {
  readonly file: string;
  readonly output: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly hadSignature: boolean;
  readonly signature: ReturnType<typeof describeSignature>;
}

/**
 * Signs or strips files. All are made before the first is written, so that a bad one leaves the others as they were.
 *
 * @throws {SpecError} `USAGE`, {SignError}, {ModuleError}.
 */
export async function signFiles(
  files: readonly string[],
  flags: SignFlags,
  context: CliContext,
): Promise<void> {
  requireTarget(files, flags);
  const signers = flags.strip === true ? undefined : await openFlagSigners(flags, context);
  const signed: SignedFile[] = [];
  for (const file of files) {
    context.signal.throwIfAborted();
    signed.push(await signFile(file, signers, { flags, context }));
  }
  for (const { output, bytes, mode } of signed) await writeOutput(output, bytes, mode);

  await printResult(context, flags.output, {
    verb: 'sign',
    data: {
      modules: signed.map(({ file, output, hadSignature, signature }) => ({
        file,
        output,
        hadSignature,
        signature: signatureData(signature),
      })),
    },
    text: () =>
      formatTable(
        ['MODULE', 'SIGNED BY', 'HASH', 'WRITTEN TO'],
        signed.map(({ file, output, signature }) => [
          basename(file),
          signature?.signers.map(signerText).join(', ') ?? 'nobody',
          signature?.signers.map(({ hash }) => hash).join(', ') ?? '',
          output,
        ]),
      ),
  });
}

/**
 * Says of each file whether the kernel would take it when it trusts one certificate.
 *
 * @throws {CheckFailed} unless it would take all of them.
 */
export async function checkFiles(
  files: readonly string[],
  flags: SignFlags,
  context: CliContext,
): Promise<void> {
  const reader = makeFiles(context.cwd);
  const names = await certificateFiles(flags, context);
  if (names.length === 0) throw usage('Cannot check signatures: no certificate', 'Give --cert.');
  const certificates: Certificate[] = [];
  for (const name of names) certificates.push(parseCertificate(await readInput(reader, name)));
  const checks: { readonly file: string; readonly status: string; readonly why: string | null }[] = [];
  for (const file of files) {
    const bytes = await decompressModule(await readInput(reader, file));
    const verdict = verifyModuleSignature(bytes, certificates);
    checks.push({ file, status: verdict.status, why: verdict.status === 'invalid' ? verdict.why : null });
  }
  await printResult(context, flags.output, {
    verb: 'sign',
    data: { checks },
    text: () =>
      formatTable(
        ['MODULE', 'SIGNATURE', ''],
        checks.map(({ file, status, why }) => [file, status, why ?? '']),
      ),
  });
  if (checks.some(({ status }) => status !== 'valid')) throw new CheckFailed();
}

function requireTarget(files: readonly string[], { outputDir, inPlace }: SignFlags): void {
  if (outputDir === undefined && inPlace !== true) {
    throw usage('Cannot sign: nowhere to write to', 'Give --output-dir DIR or --in-place.');
  }
  const names = files.map((file) => outputName(file, 'none'));
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (outputDir !== undefined && twice !== undefined) {
    throw usage(
      `Cannot sign: two files would be ${join(outputDir, twice)}`,
      'Sign them one after the other.',
    );
  }
}

async function signFile(
  file: string,
  signers: readonly OpenedSigner[] | undefined,
  { flags, context }: { readonly flags: SignFlags; readonly context: CliContext },
): Promise<SignedFile> {
  const packed = await readInput(makeFiles(context.cwd), file);
  const compression = detectCompression(packed);
  const output = outputPath(file, compression, { flags, context });
  const plain = await decompressModule(packed);
  const bytes =
    signers === undefined
      ? stripSignature(plain)
      : await signModuleByAll(plain, signers, moduleNameOfPath(file));
  return {
    file,
    output,
    bytes: compression === 'gz' ? await gzipModule(bytes) : bytes,
    mode: (await stat(resolve(context.cwd, file))).mode & 0o777,
    hadSignature: hasSignature(plain),
    signature: describeSignature(bytes),
  };
}

function outputPath(
  file: string,
  compression: ModuleCompression,
  { flags, context }: { readonly flags: SignFlags; readonly context: CliContext },
): string {
  if (flags.outputDir !== undefined) {
    return resolve(context.cwd, flags.outputDir, outputName(file, compression));
  }
  if (compression === 'xz' || compression === 'zst') {
    throw usage(
      `Cannot sign ${file} in place: kmodlayer does not pack modules with ${compression}`,
      'Give --output-dir: the module is written there unpacked, which every kernel loads.',
    );
  }
  return resolve(context.cwd, file);
}

/** `ice.ko` for `ice.ko.xz`: it is written unpacked. */
function outputName(file: string, compression: ModuleCompression): string {
  return compression === 'gz' ? basename(file) : basename(file).replace(/\.(?:gz|xz|zst)$/, '');
}
