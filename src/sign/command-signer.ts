import { createHash, type KeyObject } from 'node:crypto';
import { basename } from 'node:path';
import type { ProgramResult } from '../engine/program.ts';
import { SignError } from '../errors.ts';
import type { Io } from '../io.ts';
import type { CommandSettings } from '../spec/driver-set.ts';
import type { Certificate } from './certificate.ts';
import { isSignedData } from './cms.ts';
import { ecdsaNumberBytes, ecdsaValueFrom } from './ecdsa-value.ts';
import { toPem } from './pem.ts';
import type { Signer, SignerAnswer, SignRequest } from './signer.ts';

export interface CommandSignerOptions extends Pick<CommandSettings, 'command' | 'input' | 'timeoutMs'> {
  readonly certificate: Certificate;
  /** Directory that the program runs in. */
  readonly directory: string;
}

/**
 * A signer that is a program, for services and devices that we know nothing of. What it gets and gives is told in
 * docs/signers.md.
 */
export function makeCommandSigner(
  options: CommandSignerOptions,
  io: Pick<Io, 'runProgram' | 'report' | 'signal'>,
): Signer {
  const { certificate, command, directory, timeoutMs } = options;
  const [program, ...args] = command;
  return {
    certificate,
    sign: async (request) => {
      const result = await io.runProgram({
        program,
        args,
        directory,
        ...inputOf(request, options),
        timeoutMs,
        onErrorLine: (line) => {
          io.report({ type: 'program-output', program: basename(program), line });
        },
        signal: io.signal,
      });
      refuseFailure(result, options);
      return readAnswer(result.output, certificate.publicKey);
    },
  };
}

function inputOf(
  { data, hash, module = '' }: SignRequest,
  { input, certificate }: CommandSignerOptions,
): Pick<Parameters<Io['runProgram']>[0], 'input' | 'env' | 'files'> {
  const env = { KMODLAYER_HASH: hash, KMODLAYER_MODULE: module, KMODLAYER_INPUT: input };
  const files = {
    KMODLAYER_CERTIFICATE: { name: 'certificate.pem', bytes: toPem('CERTIFICATE', certificate.der) },
  };
  if (input === 'file') {
    const file = { name: `${module === '' ? 'module' : module}.ko`, bytes: data };
    return { input: data, env, files: { ...files, KMODLAYER_FILE: file } };
  }
  const digest = createHash(hash).update(data).digest();
  return { input: digest, env: { ...env, KMODLAYER_DIGEST: digest.toString('hex') }, files };
}

function refuseFailure(
  { outcome, exitCode, errorTail }: ProgramResult,
  { command: [program], timeoutMs }: CommandSignerOptions,
): void {
  if (outcome === 'missing') {
    throw new SignError('TOOL_MISSING', `Cannot run the signer ${program}: ${errorTail.join('; ')}`, {
      hint: 'Check that it is there and executable; a script needs its "#!" line. Relative paths start at the spec.',
    });
  }
  const said = errorTail.length === 0 ? '' : `: ${errorTail.slice(-3).join('; ')}`;
  if (outcome === 'timed-out') {
    throw new SignError('SIGNER_FAILED', `The signer ${program} took over ${timeoutMs / 1000} s${said}`, {
      hint: 'Give it more time with "timeoutSeconds", or find out what it waits for: it has no terminal to ask on.',
    });
  }
  if (exitCode !== 0) {
    const end = exitCode === undefined ? 'was ended by a signal' : `ended with ${exitCode}`;
    throw new SignError('SIGNER_FAILED', `The signer ${program} ${end}${said}`, {
      hint: 'What it printed to standard error is above.',
    });
  }
}

/**
 * Reads what an external signer gave: a bare value or a CMS message, told apart by what the bytes are.
 *
 * @throws {SignError} `SIGNER_FAILED`.
 */
export function readAnswer(output: Buffer, publicKey: KeyObject): SignerAnswer {
  const pem = /^\s*-----BEGIN (?:CMS|PKCS7)-----\s([A-Za-z0-9+/=\s]+)-----END (?:CMS|PKCS7)-----\s*$/.exec(
    output.toString('latin1'),
  )?.[1];
  const bytes = pem === undefined ? output : Buffer.from(pem, 'base64');
  if (isSignedData(bytes)) return { type: 'cms', cms: bytes };
  if (pem === undefined) {
    const { modulusLength } = publicKey.asymmetricKeyDetails ?? {};
    if (modulusLength !== undefined && bytes.length === Math.ceil(modulusLength / 8)) {
      return { type: 'value', value: bytes };
    }
    const numberBytes = ecdsaNumberBytes(publicKey);
    if (numberBytes !== undefined) {
      if (bytes.length === 2 * numberBytes) return { type: 'value', value: ecdsaValueFrom(bytes) };
      if (bytes[0] === 0x30 && bytes.length <= 2 * numberBytes + 9) return { type: 'value', value: bytes };
    }
  }
  const looksLike = /^[\x20-\x7e\s]+$/.test(output.toString('latin1', 0, 4096)) ? ' of text' : '';
  throw new SignError(
    'SIGNER_FAILED',
    output.length === 0
      ? 'The signer printed nothing'
      : `The signer printed ${output.length} bytes${looksLike}, which are no signature of the certificate's key`,
    {
      hint: 'It must print the bare signature value in binary, or a detached CMS message in DER or PEM, and nothing else.',
    },
  );
}
