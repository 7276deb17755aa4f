import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { SignError } from '../src/errors.ts';
import { compressModule, decompressModule, detectCompression } from '../src/kmod/compression.ts';
import { describeSignature } from '../src/sign/describe-signature.ts';
import { cutAfterModule, hasSignature, stripSignature } from '../src/sign/module-signature.ts';
import type { OpenedSigner } from '../src/sign/open-signers.ts';
import { signModuleByAll } from '../src/sign/sign.ts';
import { moduleNameOfPath } from '../src/spec/module-name.ts';
import type { SignFlags } from './commands/sign.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import { writeOutput } from './io/write-output.ts';
import { makeReport } from './report/event-text.ts';
import { printResult } from './report/output.ts';
import { signatureData, signerText } from './report/signature-text.ts';
import { formatTable } from './report/table.ts';
import { openFlagSigners, usage } from './signing-flags.ts';

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
 * Packed files stay packed in the same way.
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
    try {
      signed.push(await signFile(file, signers, { flags, context }));
    } catch (error) {
      throw files.length > 1 ? namingFile(error, file) : error;
    }
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

function requireTarget(files: readonly string[], { outputDir, inPlace }: SignFlags): void {
  if (outputDir === undefined && inPlace !== true) {
    throw usage('Cannot sign: nowhere to write to', 'Give --output-dir DIR or --in-place.');
  }
  const names = files.map((file) => basename(file));
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
  const plain = await decompressModule(packed);
  const bytes =
    signers === undefined
      ? strip(plain, flags)
      : await signModuleByAll(plain, signers, moduleNameOfPath(file));
  const repacked = await compressModule(bytes, compression);
  if (compression === 'xz' && repacked.length > packed.length) {
    makeReport(
      context,
      flags,
    )({
      type: 'warning',
      message: `${file} has grown from ${packed.length} to ${repacked.length} bytes: it is stored as xz, not compressed`,
      hint: 'Nodes read it as before; "xz --check=crc32 --lzma2=dict=1MiB" makes it smaller.',
    });
  }
  return {
    file,
    output: resolve(
      context.cwd,
      ...(flags.outputDir === undefined ? [file] : [flags.outputDir, basename(file)]),
    ),
    bytes: repacked,
    mode: (await stat(resolve(context.cwd, file))).mode & 0o777,
    hadSignature: hasSignature(plain),
    signature: describeSignature(bytes),
  };
}

/** Which of several files it was. */
function namingFile(error: unknown, file: string): unknown {
  if (!(error instanceof SignError)) return error;
  const { code, message, hint } = error;
  return new SignError(code, `${file}: ${message}`, { hint, cause: error });
}

function strip(module: Buffer, { force }: SignFlags): Buffer {
  try {
    return stripSignature(module);
  } catch (error) {
    if (force === true && error instanceof SignError) return cutAfterModule(module);
    throw error;
  }
}
