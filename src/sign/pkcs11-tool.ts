import type { ProgramResult } from '../engine/program.ts';
import { SignError } from '../errors.ts';
import type { Io } from '../io.ts';

/** How `pkcs11-tool` of OpenSC reaches a token. */
export interface Pkcs11Access {
  /** Library of the token. */
  readonly library: string;
  /** Undefined: the token asks for none. */
  readonly pin: string | undefined;
  /** Directory that relative paths start at. */
  readonly directory: string;
}

/** A token in its slot, as `pkcs11-tool --list-token-slots` prints it. */
export interface TokenSlot {
  readonly slotId: bigint;
  readonly token: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
}

/** A private key, as `pkcs11-tool --list-objects` prints it. */
export interface TokenKey {
  readonly label: string | undefined;
  /** `CKA_ID` in hex; undefined when it has none. */
  readonly id: string | undefined;
}

const PROGRAM = 'pkcs11-tool';
/** The PIN goes by this variable: arguments can be read by other users of the machine. */
const PIN_VARIABLE = 'KMODLAYER_PKCS11_PIN';
/** Devices that wait for a touch wait about half a minute. */
const TIMEOUT_MS = 120_000;

/**
 * Runs `pkcs11-tool`, logged in when there is a PIN and `slotId` says where.
 *
 * @throws {SignError} `TOOL_MISSING`, `SIGNER_FAILED` when it takes too long.
 */
export async function runPkcs11Tool(
  { library, pin, directory }: Pkcs11Access,
  {
    args,
    slotId,
    input,
  }: { readonly args: readonly string[]; readonly slotId?: bigint; readonly input?: Uint8Array },
  io: Pick<Io, 'runProgram' | 'report' | 'signal'>,
): Promise<ProgramResult> {
  const isLogin = slotId !== undefined && pin !== undefined;
  const result = await io.runProgram({
    program: PROGRAM,
    args: [
      ...['--module', library],
      ...(slotId === undefined ? [] : ['--slot', String(slotId)]),
      ...(isLogin ? ['--login', '--pin', `env:${PIN_VARIABLE}`] : []),
      ...args,
    ],
    directory,
    ...(input === undefined ? {} : { input }),
    env: { LC_ALL: 'C', ...(isLogin ? { [PIN_VARIABLE]: pin } : {}) },
    timeoutMs: TIMEOUT_MS,
    onErrorLine: (line) => {
      io.report({ type: 'detail', message: `${PROGRAM} | ${line}` });
    },
    signal: io.signal,
  });
  if (result.outcome === 'missing') {
    throw new SignError('TOOL_MISSING', 'Cannot sign with a token: there is no pkcs11-tool', {
      hint: 'Install OpenSC: "dnf install opensc" or "apt-get install opensc".',
    });
  }
  if (result.outcome === 'timed-out') {
    throw new SignError('SIGNER_FAILED', `Cannot sign with a token: it took over ${TIMEOUT_MS / 1000} s`, {
      hint: 'Look whether the token waits for a touch or a confirmation.',
    });
  }
  return result;
}

/** Why `pkcs11-tool` failed, from what it printed. */
export function pkcs11Failure(what: string, { errorTail }: ProgramResult): SignError {
  const said = errorTail
    .filter((line) => line !== 'Aborting.')
    .slice(-2)
    .join('; ');
  const reasons: readonly (readonly [RegExp, string, string])[] = [
    [
      /CKR_PIN_(?:INCORRECT|INVALID|LEN_RANGE)/,
      'the PIN is wrong',
      'Tokens lock after a few wrong PINs: check it before you try again.',
    ],
    [/CKR_PIN_LOCKED/, 'the PIN is locked', 'Unlock the token with the means of its maker.'],
    [
      /CKR_USER_NOT_LOGGED_IN|util_getpass/,
      'it asks for a PIN',
      'Give the PIN by reference: "pin", or "pin-source=file:PATH" in the URI.',
    ],
    [
      /Failed to load pkcs11 module/,
      `its library does not load: ${said}`,
      'Check the path of the PKCS#11 library.',
    ],
  ];
  const [, why, hint] = reasons.find(([pattern]) => pattern.test(errorTail.join('\n'))) ?? [
    undefined,
    said === '' ? 'pkcs11-tool gave no reason' : said,
    'Try it with "pkcs11-tool --module LIBRARY --login --list-objects".',
  ];
  return new SignError('KEY_UNREADABLE', `${what}: ${why}`, { hint });
}

/** Reads what `--list-token-slots` prints; slots without a token are left out. */
export function parseTokenSlots(output: string): readonly TokenSlot[] {
  return output.split(/^(?=Slot \d+ \()/m).flatMap((part) => {
    const slotId = /^Slot \d+ \((0x[0-9a-f]{1,16})\)/.exec(part)?.[1];
    const token = fieldOf(part, 'token label');
    if (slotId === undefined || token === undefined) return [];
    const [manufacturer = '', model = '', serial = ''] = [
      'token manufacturer',
      'token model',
      'serial num',
    ].map((name) => fieldOf(part, name));
    return [{ slotId: BigInt(slotId), token, manufacturer, model, serial }];
  });
}

/** Reads what `--list-objects --type privkey` prints. */
export function parseTokenKeys(output: string): readonly TokenKey[] {
  return output
    .split(/^(?=\S)/m)
    .filter((part) => part.startsWith('Private Key Object'))
    .map((part) => {
      const id = fieldOf(part, 'ID')?.toLowerCase();
      return {
        label: fieldOf(part, 'label'),
        id: id !== undefined && /^(?:[0-9a-f]{2})+$/.test(id) ? id : undefined,
      };
    });
}

function fieldOf(part: string, name: string): string | undefined {
  return new RegExp(`^  ${name} *: *(.*)$`, 'm').exec(part)?.[1]?.trimEnd();
}
