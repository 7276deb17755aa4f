import { join, resolve } from 'node:path';
import { SpecError } from '../src/errors.ts';
import { openSigners, type OpenedSigner } from '../src/sign/open-signers.ts';
import type { DriverSet, SecretSource, SignerSettings } from '../src/spec/driver-set.ts';
import { parseSpec, pathFrom } from '../src/spec/spec.ts';
import { parseKeySource } from '../src/spec/values.ts';
import type { SignFlags } from './commands/sign.ts';
import type { CliContext } from './context.ts';
import { makeFiles } from './io/files.ts';
import { makeProgramRunner } from './io/programs.ts';
import { readInput } from './io/read-input.ts';
import { makeReport } from './report/event-text.ts';

/**
 * The signers that flags name, or those of a spec.
 *
 * @throws {SpecError} `USAGE`; {SignError} as `openSigners` does.
 */
export async function openFlagSigners(
  flags: SignFlags,
  context: CliContext,
): Promise<readonly OpenedSigner[]> {
  return openSigners(await signingOf(flags, context), {
    files: makeFiles(context.cwd),
    env: context.env,
    now: () => new Date(),
    report: makeReport(context, flags),
    runProgram: makeProgramRunner(context),
    signal: context.signal,
  });
}

/** How a spec, or else the flags, say to sign; relative paths start at `file`. */
async function signingOf(
  flags: SignFlags,
  context: CliContext,
): Promise<Pick<DriverSet, 'signing' | 'file'>> {
  if (flags.file === undefined) {
    // Paths of flags start where the command runs, as those of a spec that stands there.
    const file = join(context.cwd, 'kmodlayer.yaml');
    return { signing: { type: 'signers', signers: [settingsOf(flags)] }, file };
  }
  const set = await readSet(flags.file, context);
  if (set.signing.type !== 'signers') {
    throw usage(
      `Cannot sign: ${flags.file} names no key`,
      'Add "sign" to the spec, or give --key and --cert.',
    );
  }
  return { signing: set.signing, file: resolve(context.cwd, flags.file) };
}

/** Files of the certificates that flags or a spec name, absolute or relative to where the command runs. */
export async function certificateFiles(flags: SignFlags, context: CliContext): Promise<readonly string[]> {
  const { file, cert = [] } = flags;
  if (file === undefined) return cert;
  const { signing } = await readSet(file, context);
  if (signing.type !== 'signers') return cert;
  const spec = resolve(context.cwd, file);
  return [...cert, ...signing.signers.map(({ certificate }) => pathFrom(spec, certificate))];
}

async function readSet(file: string, context: CliContext): Promise<DriverSet> {
  const bytes = await readInput(makeFiles(context.cwd), file);
  return parseSpec(Buffer.from(bytes).toString('utf8'), file);
}

function settingsOf(flags: SignFlags): SignerSettings {
  const { key, command, cert = [], hash } = flags;
  const [certificate, ...others] = cert;
  if (key === undefined && command === undefined) {
    throw usage(
      'Cannot sign: no key',
      'Give --key and --cert, or --command and --cert, or a spec with --file.',
    );
  }
  if (certificate === undefined) throw usage('Cannot sign: no certificate', 'Give --cert.');
  if (others.length > 0) {
    throw usage(
      'Cannot sign: there are two certificates',
      'Two signers are described in a spec: give --file.',
    );
  }
  if (command !== undefined) {
    return {
      type: 'command',
      command: [command, ...(flags.commandArg ?? [])],
      certificate,
      hash,
      input: flags.commandInput,
      timeoutMs: 1000 * flags.commandTimeout,
    };
  }
  const source = parseKeySource(key ?? '');
  refuseStrangers(source.type, flags);
  if (source.type === 'pkcs11') {
    const pin = secretOf(flags.pinEnv, flags.pinFile);
    return { type: 'pkcs11', key: source.uri, certificate, hash, library: flags.pkcs11Library, pin };
  }
  const passphrase = secretOf(flags.passphraseEnv, flags.passphraseFile);
  return { type: 'file', key: source.path, certificate, hash, passphrase };
}

/** A secret that nobody reads is a mistake that shows later, as one about the key. */
function refuseStrangers(type: 'file' | 'pkcs11', flags: SignFlags): void {
  const strangers = {
    file: ['pinEnv', 'pinFile', 'pkcs11Library'],
    pkcs11: ['passphraseEnv', 'passphraseFile'],
  } as const;
  const stranger = strangers[type].find((name) => flags[name] !== undefined);
  if (stranger === undefined) return;
  const flag = `--${stranger.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw usage(
    `Cannot sign: ${flag} does not go with this --key`,
    type === 'file' ? 'Key files have a passphrase.' : 'Tokens have a PIN: --pin-env or --pin-file.',
  );
}

function secretOf(env: string | undefined, path: string | undefined): SecretSource | undefined {
  if (env !== undefined) return { type: 'env', name: env };
  return path === undefined ? undefined : { type: 'file', path };
}

/** The error of flags that do not go together. */
export function usage(message: string, hint: string): SpecError {
  return new SpecError('USAGE', message, { hint });
}
