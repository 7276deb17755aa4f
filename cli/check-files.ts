import { ModuleError, SignError } from '../src/errors.ts';
import { decompressModule } from '../src/kmod/compression.ts';
import { type Certificate, parseCertificate } from '../src/sign/certificate.ts';
import { describeSignature, type SignatureDescription } from '../src/sign/describe-signature.ts';
import { verifyModuleSignature } from '../src/sign/verify-signature.ts';
import type { SignFlags } from './commands/sign.ts';
import type { CliContext } from './context.ts';
import { CheckFailed } from './exit-codes.ts';
import { makeFiles } from './io/files.ts';
import { readInput } from './io/read-input.ts';
import { printResult } from './report/output.ts';
import { signatureData, signerText } from './report/signature-text.ts';
import { formatTable } from './report/table.ts';
import { certificateFiles, usage } from './signing-flags.ts';

/** What `--check` says of one file. */
interface FileCheck {
  readonly file: string;
  readonly status: 'valid' | 'unsigned' | 'unknown-key' | 'tampered' | 'malformed' | 'unreadable';
  /** What is wrong, where the status does not say it all. */
  readonly why: string | undefined;
  /** Undefined when there is none, or none that can be read. */
  readonly signature: SignatureDescription | undefined;
}

/**
 * Says of each file whether the kernel would take it when it trusts some certificates.
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
  const checks: FileCheck[] = [];
  for (const file of files) {
    context.signal.throwIfAborted();
    checks.push(await checkFile(file, await readInput(reader, file), certificates));
  }
  await printResult(context, flags.output, {
    verb: 'sign',
    data: {
      checks: checks.map(({ signature, why, ...check }) => ({
        ...check,
        why: why ?? null,
        signature: signatureData(signature),
      })),
    },
    text: () => formatTable(['MODULE', 'SIGNATURE', 'SIGNED BY', 'HASH', ''], checks.map(rowOf)),
  });
  if (checks.some(({ status }) => status !== 'valid')) throw new CheckFailed();
}

function rowOf({ file, status, why = '', signature }: FileCheck): readonly string[] {
  const signers = signature?.signers ?? [];
  const hashes = [...new Set(signers.map(({ hash }) => hash))];
  return [file, status, signers.map(signerText).join(', '), hashes.join(', '), why];
}

async function checkFile(
  file: string,
  packed: Uint8Array,
  certificates: readonly Certificate[],
): Promise<FileCheck> {
  let bytes: Buffer;
  try {
    bytes = await decompressModule(packed);
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    return { file, status: 'unreadable', why: error.message, signature: undefined };
  }
  const verdict = verifyModuleSignature(bytes, certificates);
  const signature = describe(bytes);
  return verdict.status === 'invalid'
    ? { file, status: verdict.reason, why: verdict.why, signature }
    : { file, status: verdict.status, why: undefined, signature };
}

function describe(bytes: Buffer): SignatureDescription | undefined {
  try {
    return describeSignature(bytes);
  } catch (error) {
    if (error instanceof SignError) return undefined;
    throw error;
  }
}
